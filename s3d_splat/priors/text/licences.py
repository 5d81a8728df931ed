"""Under which licence weights of encoders are given away, as their publishers' pages say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Licence:
    """Of weights, which is not that of the code that runs them."""

    name: str
    commercial: bool | None  # may they be used commercially? None: ask the publisher


# By the beginning of open_clip's name of the weights; the first that fits.
_BY_WEIGHTS: tuple[tuple[str, Licence], ...] = (
    ("webli", Licence("Apache-2.0 (Google, SigLIP)", True)),
    ("metaclip", Licence("CC-BY-NC-4.0 (Meta, MetaCLIP)", False)),
    ("dfn", Licence("Apple's research licence (DFN)", False)),
    ("datacompdr", Licence("Apple's research licence (MobileCLIP)", False)),
    ("v1", Licence("CC-BY-NC-4.0 (NLLB-CLIP)", False)),
    ("mrl", Licence("CC-BY-NC-4.0 (NLLB-CLIP)", False)),
    ("openai", Licence("MIT (OpenAI, CLIP)", True)),
    ("laion", Licence("MIT (LAION)", True)),
    ("frozen_laion", Licence("MIT (LAION)", True)),
    ("mscoco_finetuned_laion", Licence("MIT (LAION)", True)),
    ("datacomp1b", Licence("Apache-2.0 (UCSC, CLIPA)", True)),
    ("datacomp", Licence("MIT (DataComp)", True)),
    ("commonpool", Licence("MIT (DataComp)", True)),
)
UNKNOWN = Licence("a licence that this version does not know: see where the weights come from", None)


def licence_of(weights: str) -> Licence:
    """The licence of weights by their name in open_clip."""
    return next((licence for start, licence in _BY_WEIGHTS if weights.startswith(start)), UNKNOWN)
