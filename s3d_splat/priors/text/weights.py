"""Models of open_clip with their weights: which may be loaded, from where, and that nothing but tensors is read."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from s3d_splat.errors import S3DError
from s3d_splat.priors.text.licences import licence_of
from s3d_splat.priors.text.options import TextOptions

log = logging.getLogger("s3d_splat")


def find_source(open_clip: Any, options: TextOptions) -> Mapping[str, Any]:
    """open_clip's own entry for the weights: where they lie and how pictures are prepared for them.

    Empty for a file of a model that open_clip has no weights of.

    Raises:
        S3DError: open_clip does not know the model, or no such weights of it.
    """
    name, weights = options.clip_model, options.clip_pretrained
    if name not in open_clip.list_models():
        raise S3DError(
            f"open_clip has no model {name}",
            why="--clip-model names one of its models",
            fix="python -c 'import open_clip; print(open_clip.list_models())' lists them",
        )
    known = open_clip.list_pretrained_tags_by_model(name)
    if weights in known:
        return open_clip.get_pretrained_cfg(name, weights)
    if options.clip_weights is not None and not known:
        return {}
    raise S3DError(
        f"open_clip has no weights {weights} of {name}",
        why="they decide how pictures are prepared, for a file of --clip-weights too",
        fix=f"--clip-pretrained with one of: {', '.join(known)}" if known else "give a file with --clip-weights",
    )


def check_licence(options: TextOptions, source: Mapping[str, Any]) -> None:
    """Tell the user the licence of the weights. Raises S3DError if it forbids commercial use and that was not accepted."""
    place = source.get("hf_hub") or source.get("url") or ""
    licence = licence_of(f"{place} {options.clip_pretrained}" if source else "")
    what = f"{options.clip_pretrained} of {options.clip_model}" if source else f"of {options.clip_model}"
    file = "" if options.clip_weights is None else f" (from {options.clip_weights})"
    level = logging.INFO if licence.commercial else logging.WARNING
    log.log(level, "Weights %s%s are under %s.", what, file, licence.name)
    if licence.commercial is False and not options.accept_non_commercial:
        raise S3DError(
            f"the weights {what} are under {licence.name}",
            why="that licence forbids commercial use, so they are not loaded without your word",
            fix="--accept-non-commercial, or other weights (laion2b_s34b_b88k of ViT-B-16 is MIT)",
        )


def load_model(open_clip: Any, options: TextOptions, source: Mapping[str, Any]) -> torch.nn.Module:
    """The model with its weights, on the CPU.

    Raises:
        S3DError: the weights are neither here nor to be had, are damaged, hold more than tensors, or do not fit the model.
    """
    name = options.clip_model
    path = _downloaded(open_clip, options, source) if options.clip_weights is None else options.clip_weights
    check_tensors(path)
    try:
        return open_clip.create_model(
            name,
            pretrained=str(path),
            force_quick_gelu=bool(source.get("quick_gelu", False)),
            force_preprocess_cfg=open_clip.transform.merge_preprocess_dict({}, source),
        )
    except Exception as error:  # whatever open_clip, timm and torch raise for weights or a model that they cannot make
        raise S3DError(
            f"{name} could not be made from {path}: {_first_line(error)}",
            why="the weights are those of another model, or a package that the model needs is missing or too old",
            fix="name the model of these weights with --clip-model, or pip install -U open-clip-torch timm",
        ) from error


def check_tensors(path: Path) -> None:
    """Refuse a file that is no container of tensors; no object in it is ever made. Raises S3DError."""
    if not path.is_file():
        raise S3DError(f"{path} is no file", why="--clip-weights names the weights of the encoder", fix="check the path")
    try:
        if path.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(path, framework="pt") as file:
                file.keys()
        else:
            torch.load(path, map_location="meta", weights_only=True)
    except Exception as error:  # a torn or foreign file can fail anywhere in the readers
        raise S3DError(
            f"{path} cannot be read as weights: {_first_line(error)}",
            why="only files of plain tensors are loaded (.safetensors, or .pt and .bin with a state_dict), never objects",
            fix="download the file again, or save the model's state_dict() alone",
        ) from error


def _downloaded(open_clip: Any, options: TextOptions, source: Mapping[str, Any]) -> Path:
    weights = f"{options.clip_pretrained} of {options.clip_model}"
    try:
        return _cached(open_clip, source) or Path(open_clip.download_pretrained(source))
    except Exception as error:  # open_clip hands on whatever the network, the hub or the disk raise
        hub = source.get("hf_hub", "").rpartition("/")[0]
        place = f"https://huggingface.co/{hub} (open_clip_model.safetensors)" if hub else source.get("url", "")
        raise S3DError(
            f"the weights {weights} are not here and could not be downloaded: {_first_line(error)}",
            why="an encoder is nothing without its weights",
            fix=f"fetch them from {place} on a machine with a network, and name the file with --clip-weights",
        ) from error


def _cached(open_clip: Any, source: Mapping[str, Any]) -> Path | None:
    """What an earlier run has downloaded; the hub's own look asks the network first, and without one waits for a minute."""
    from huggingface_hub import try_to_load_from_cache

    repository, _, file = source.get("hf_hub", "").rpartition("/")
    names = [file] if file else [open_clip.constants.HF_SAFE_WEIGHTS_NAME, open_clip.constants.HF_WEIGHTS_NAME]
    found = [try_to_load_from_cache(repository, name) for name in names] if repository else []
    return next((Path(path) for path in found if isinstance(path, str)), None)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
