"""Under which licence weights of encoders are given away, as their publishers' pages say."""

from __future__ import annotations

from s3d_splat.priors.licences import Licence, first_match

_META = Licence("CC-BY-NC-4.0 (Meta, MetaCLIP)", False)
_APPLE = Licence("Apple's licence for models, research only (DFN, MobileCLIP)", False)
_NLLB = Licence("CC-BY-NC-4.0 (NLLB-CLIP)", False)
# By a part of where the weights lie or of their name; the first that is found counts.
_BY_SOURCE: tuple[tuple[str, Licence], ...] = (
    ("metaclip", _META),
    ("mobileclip", _APPLE),
    ("dfn", _APPLE),
    ("nllb", _NLLB),
    ("siglip", Licence("Apache-2.0 (Google, SigLIP)", True)),
    ("pe-core", Licence("Apache-2.0 (Meta, Perception Encoder)", True)),
    ("ucsc-vlaa", Licence("Apache-2.0 (UCSC, CLIPA)", True)),
    ("vitamin", Licence("MIT (ViTamin)", True)),
    ("timm/eva", Licence("MIT (BAAI, EVA-CLIP)", True)),
    ("openai", Licence("MIT (OpenAI, CLIP)", True)),
    ("laion", Licence("MIT (LAION)", True)),
    ("yfcc15m", Licence("MIT (open_clip)", True)),
    ("cc12m", Licence("MIT (open_clip)", True)),
)


def licence_of(source: str) -> Licence:
    """The licence of weights by where they lie (repository or address) and what they are called."""
    return first_match(_BY_SOURCE, source)
