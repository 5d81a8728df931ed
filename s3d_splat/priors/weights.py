"""Learned weights of priors: from a local folder, from what was downloaded before, or from the hub; tensors only."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from s3d_splat.errors import S3DError
from s3d_splat.priors.licences import Licence, first_match, tell_licence

_FILES = ("*.json", "*.safetensors", "*.txt", "README.md")
_NON_COMMERCIAL = Licence("CC-BY-NC-4.0", False)
_APACHE = Licence("Apache-2.0", True)
_MIT = Licence("MIT", True)
# By a part of the model's name on the hub, as its publisher's page says; the first that is found counts.
_BY_MODEL: tuple[tuple[str, Licence], ...] = (
    ("facebook/sam2", _APACHE),
    (
        "facebook/sam3",
        Licence("Meta's SAM License (commercial use allowed, some uses forbidden; read it on the page)", None),
    ),
    ("tue-mps/", _MIT),
    ("facebook/mask2former", Licence("a licence that their page calls `other` (their code is MIT): ask Meta", None)),
    ("depth-anything/da3-small", _APACHE),
    ("depth-anything/da3-base", _APACHE),
    ("depth-anything/da3", _NON_COMMERCIAL),
)
# By what `license:` says at the top of a model card.
_BY_CARD: tuple[tuple[str, Licence], ...] = (
    (r"non-?commercial|-nc\b", _NON_COMMERCIAL),
    (r"^apache-2\.0$", _APACHE),
    (r"^mit$", _MIT),
)

# What no file needs to hold: the parts of losses, and tables that follow from sizes.
_MADE_ANEW = r"^criterion\.|relative_position_index$|position_ids$"


def require(package: str, names: Sequence[str], flag: str, install: str) -> Any:
    """The package, with all the names in it.

    Args:
        flag: the option that needs it, for messages.
        install: the command that installs it.

    Raises:
        S3DError: it is missing, broken or too old.
    """
    try:
        module = importlib.import_module(package)
        missing = [name for name in names if not hasattr(module, name)]
    except Exception as error:  # packages of this size fail at import in many ways, not only with ImportError
        raise S3DError(f"{flag} needs the package {package}", why=f"it cannot be imported ({error})", fix=install) from error
    if missing:
        raise S3DError(
            f"{flag} needs a newer {package}",
            why=f"version {getattr(module, '__version__', '?')} has no {missing[0]}",
            fix=install,
        )
    return module


def find_weights(model: str, folder: Path | None, flag: str, accepted: Sequence[str]) -> Path:
    """The folder with the weights of a model, which are downloaded if they are nowhere; their licence is told first.

    Args:
        model: its name on the hub.
        folder: a copy of the model's files; then no network is asked.
        flag: of the options of this prior, such as `--sam2`, for messages.
        accepted: names of licences that the user has accepted.

    Raises:
        S3DError: the licence was not accepted, the folder lacks files, or the weights are not here and cannot be had.
    """
    tell_licence(f"of {model}" + ("" if folder is None else f" (from {folder})"), _licence(model, folder), accepted)
    if folder is not None:
        lacking = _lacking(folder)
        if lacking:
            raise S3DError(
                f"{folder} has no {lacking}",
                why=f"{flag}.weights names a folder with all files of {model}; only .safetensors are read, never pickles",
                fix=_download(model, folder),
            )
        return folder
    cached = _cached(model)
    return cached if cached is not None else _downloaded(model, flag)


def load_pretrained(kind: Any, folder: Path, flag: str) -> Any:
    """A model or a processor of transformers from a folder, in single precision, without code or pickles from the folder.

    Args:
        kind: its class.

    Raises:
        S3DError: damaged, incomplete, or those of another model.
    """
    with _quiet():
        try:
            if not hasattr(kind, "forward"):
                return kind.from_pretrained(folder, local_files_only=True)
            model, report = kind.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True, dtype=torch.float32
            )
        except Exception as error:  # whatever transformers, safetensors and torch raise for files of another model
            raise _wrong(kind, folder, flag, str(error)) from error
    absent = [str(key) for key in report["missing_keys"] if not re.search(_MADE_ANEW, str(key))]
    absent += [str(key) for key in report["mismatched_keys"]]
    if absent:
        raise _wrong(kind, folder, flag, f"no fitting weights for {min(absent)}")
    return model.to(best_device()).eval()


def best_device() -> torch.device:
    """The GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def release() -> None:
    """Hand the memory of models that nobody holds any more back to the GPU."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _licence(model: str, folder: Path | None) -> Licence:
    """What the model card in the folder says, else what is known of the model."""
    card = None if folder is None else folder / "README.md"
    if card is not None and card.is_file():
        head = card.read_text(encoding="utf-8", errors="replace")[:5000].partition("\n---")[0]
        found = re.search(r"^license(?:_name)?:\s*(\S+)", head, re.MULTILINE)
        stated = found[1].strip("\"'").lower() if found else ""
        for pattern, licence in _BY_CARD:
            if re.search(pattern, stated):
                return licence
    return first_match(_BY_MODEL, model)


def _lacking(folder: Path) -> str | None:
    """What a folder of weights misses to be complete; None: nothing."""
    if not (folder / "config.json").is_file():
        return "config.json"
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, AttributeError):
            return "readable model.safetensors.index.json"
        return next((part for part in sorted(map(str, parts)) if not (folder / part).is_file()), None)
    return None if any(folder.glob("*.safetensors")) else "model.safetensors"


def _cached(model: str) -> Path | None:
    """What an earlier call has downloaded, if it is whole; asks no network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(model, local_files_only=True, allow_patterns=list(_FILES)))
    except (LocalEntryNotFoundError, OSError, ValueError):
        return None
    return None if _lacking(folder) else folder


def _downloaded(model: str, flag: str) -> Path:
    from huggingface_hub import snapshot_download

    reason: Exception | None = None
    try:
        folder = Path(snapshot_download(model, allow_patterns=list(_FILES)))
        lacking = _lacking(folder)
        if lacking is None:
            return folder
        message = f"there is no {lacking}"
    except Exception as error:  # the hub hands on whatever the network and the disk raise
        reason, message = error, (str(error).strip() or type(error).__name__).splitlines()[0]
    raise S3DError(
        f"the weights of {model} are not here and could not be downloaded: {message}",
        why="a learned prior is nothing without its weights (.safetensors alone are read)",
        fix=f"{_download(model, Path('DIR'))} on a machine with a network (`hf auth login` first where the page"
        f" https://huggingface.co/{model} asks for consent), then give {flag}.weights DIR",
    ) from reason


def _download(model: str, folder: Path) -> str:
    return f"hf download {model} --local-dir {folder}"


def _wrong(kind: Any, folder: Path, flag: str, reason: str) -> S3DError:
    line = next((line.strip() for line in reason.splitlines() if line.strip()), "")
    return S3DError(
        f"{kind.__name__} could not be made from {folder}: {line[:300]}",
        why=f"{flag}.model and {flag}.weights must name weights of this kind of model, with all their files",
        fix="download them again, or choose the weights that the README names",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bars and warnings; what matters is checked and raised."""
    from transformers.utils import logging as chatter

    before, had_bars = chatter.get_verbosity(), chatter.is_progress_bar_enabled()
    chatter.set_verbosity_error()
    chatter.disable_progress_bar()
    try:
        yield
    finally:
        chatter.set_verbosity(before)
        if had_bars:
            chatter.enable_progress_bar()
