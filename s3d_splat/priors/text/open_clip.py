"""CLIP, SigLIP and their kin through open_clip."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from s3d_splat.errors import S3DError
from s3d_splat.priors.text.base import Picture
from s3d_splat.priors.text.licences import UNKNOWN, licence_of
from s3d_splat.priors.text.options import TextOptions

log = logging.getLogger("s3d_splat")


class OpenClipEncoder:
    """Any model of open_clip with its own preprocessing and tokenizer."""

    def __init__(self, options: TextOptions, model: torch.nn.Module | None = None) -> None:
        """`model`: one of `options.clip_model` that has its weights already.

        Raises:
            S3DError: the package is missing, it does not know the model or its weights, the weights are neither here nor to
                be had or do not fit, or their licence was not accepted.
        """
        open_clip = _package()
        name, weights = options.clip_model, options.clip_pretrained
        if name not in open_clip.list_models():
            raise S3DError(
                f"open_clip has no model {name}",
                why="--clip-model names one",
                fix="python -c 'import open_clip; print(open_clip.list_models())'",
            )
        self.name = f"open_clip {name} {weights}"
        if model is not None:
            self._model = model
        elif options.clip_weights is not None:
            self._model = _from_file(open_clip, name, options.clip_weights)
            self.name = f"open_clip {name} {_digest(options.clip_weights)}"
        else:
            _check_licence(open_clip, options)
            self._model = _from_hub(open_clip, name, weights)
        self._model.eval()
        self._preprocess = open_clip.image_transform_v2(
            open_clip.PreprocessCfg(**self._model.visual.preprocess_cfg), is_train=False
        )
        self._tokenizer = open_clip.get_tokenizer(name)
        self._batch = options.clip_batch
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model.to(self._device)
        self.dimension = int(self.encode_texts(["a room"]).shape[1])

    @torch.no_grad()
    def encode_pictures(self, pictures: Sequence[Picture]) -> Float[Tensor, "n d"]:
        """See `TextEncoder`; in batches of `clip_batch`, each picture prepared as the model's training had it."""
        from PIL import Image

        vectors = []
        for at in range(0, len(pictures), self._batch):
            block = [self._preprocess(Image.fromarray(picture.numpy())) for picture in pictures[at : at + self._batch]]
            vectors.append(self._model.encode_image(torch.stack(block).to(self._device)))
        return self._unit(vectors)

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """See `TextEncoder`; texts longer than the model's context are cut off by its tokenizer."""
        blocks = [list(texts[at : at + self._batch]) for at in range(0, len(texts), self._batch)]
        return self._unit([self._model.encode_text(self._tokenizer(block).to(self._device)) for block in blocks])

    def _unit(self, vectors: list[Tensor]) -> Float[Tensor, "n d"]:
        if not vectors:
            return torch.zeros(0, self.dimension)
        return normalize(torch.cat(vectors).float().cpu(), dim=1)


def _package() -> Any:
    try:
        import open_clip
    except ImportError as error:
        raise S3DError(
            "the package open_clip is not installed", why="it holds the encoders", fix='pip install "s3d-splat[open-clip]"'
        ) from error
    return open_clip


def _check_licence(open_clip: Any, options: TextOptions) -> None:
    known = open_clip.list_pretrained_tags_by_model(options.clip_model)
    if options.clip_pretrained not in known:
        raise S3DError(
            f"open_clip has no weights {options.clip_pretrained} of {options.clip_model}",
            why="--clip-pretrained names them",
            fix=f"choose from {', '.join(known) or 'nothing: give a file with --clip-weights'}",
        )
    licence = licence_of(options.clip_pretrained)
    log.info("weights %s of %s: %s", options.clip_pretrained, options.clip_model, licence.name)
    if licence.commercial is False and not options.accept_non_commercial:
        raise S3DError(
            f"the weights {options.clip_pretrained} are under {licence.name}",
            why="that licence forbids commercial use, so they are not loaded without your word",
            fix="give --accept-non-commercial, or choose other weights (laion2b_s34b_b88k of ViT-B-16 is MIT)",
        )


def _from_hub(open_clip: Any, name: str, weights: str) -> torch.nn.Module:
    try:
        return open_clip.create_model(name, pretrained=weights, load_weights_only=True)
    except Exception as error:  # open_clip passes on whatever the network, the hub or the disk raise
        where = open_clip.get_pretrained_cfg(name, weights) or {}
        source = f"https://huggingface.co/{where['hf_hub'].rstrip('/')}" if where.get("hf_hub") else where.get("url", "")
        raise S3DError(
            f"the weights {weights} of {name} could not be loaded: {error}",
            why="they are not on this machine and could not be downloaded",
            fix=f"download open_clip_model.safetensors from {source} elsewhere and name it with --clip-weights",
        ) from error


def _from_file(open_clip: Any, name: str, path: Path) -> torch.nn.Module:
    if not path.is_file():
        raise S3DError(f"{path} is no file", why="--clip-weights names the weights of the encoder", fix="check the path")
    log.info("weights %s: %s", path, UNKNOWN.name)
    model = open_clip.create_model(name)
    try:
        open_clip.load_checkpoint(model, str(path), strict=True, weights_only=True)
    except Exception as error:  # a pickle, a torn file, or weights of another model
        first = str(error).splitlines()[0]
        raise S3DError(
            f"{path} does not hold weights of {name}: {first}",
            why="only tensors are read, and all of the model's must be there in its shapes",
            fix="name the model that the weights belong to with --clip-model, or download the file again",
        ) from error
    return model


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()[:16]
