"""CLIP, SigLIP and their kin through open_clip.

Sources: A. Radford et al., "Learning transferable visual models from natural language supervision", ICML 2021; M. Cherti et
al., "Reproducible scaling laws for contrastive language-image learning", CVPR 2023 (open_clip).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from s3d_splat.errors import S3DError
from s3d_splat.priors.text.base import Picture
from s3d_splat.priors.text.options import TextOptions
from s3d_splat.priors.text.preparation import Preparation
from s3d_splat.priors.text.weights import check_licence, find_source, load_model


class OpenClipEncoder:
    """Any model of open_clip, with the preparation of pictures and the tokenizer that its weights were trained with.

    Most CLIP models see the middle square of a picture only, SigLIP squashes it to a square: hand in squares.
    """

    def __init__(self, name: str, model: Any, tokenizer: Callable[[list[str]], Tensor], batch: int = 32) -> None:
        """Take what open_clip has made.

        Args:
            name: of the model and its weights.
            model: it is moved to the GPU if there is one.
            batch: pictures and texts at a time.

        Raises:
            S3DError: no picture at a time, or pictures cannot be prepared as the model has them.
        """
        if batch < 1:
            raise S3DError(f"--clip-batch is {batch}", why="at least one picture is encoded at a time", fix="give 32")
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = model.to(self._device).eval()
        self._prepared = Preparation(model.visual.preprocess_cfg, self._device)
        self._tokenizer, self._batch, self.name = tokenizer, batch, name
        self.dimension = self._texts(["a room"]).shape[1]

    @classmethod
    def load(cls, options: TextOptions) -> OpenClipEncoder:
        """The model that the options name, with its weights.

        Raises:
            S3DError: the package is missing, it does not know the model or its weights, the weights are neither here nor to
                be had or do not fit, or their licence was not accepted.
        """
        open_clip = _package()
        source = find_source(open_clip, options)
        check_licence(options, source)
        tokenizer = _tokenizer(open_clip, options.clip_model)
        model = load_model(open_clip, options, source)
        weights = f"{options.clip_pretrained} {_digest(model)}" if source else _digest(model)
        return cls(f"open_clip {options.clip_model} {weights}", model, tokenizer, options.clip_batch)

    def encode_pictures(self, pictures: Sequence[Picture]) -> Float[Tensor, "n d"]:
        """See `TextEncoder`; `clip_batch` pictures at a time."""
        blocks = (pictures[at : at + self._batch] for at in range(0, len(pictures), self._batch))
        return self._unit([self._pictures(block) for block in blocks])

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """See `TextEncoder`; a text longer than the model's context is cut off by its tokenizer."""
        blocks = (texts[at : at + self._batch] for at in range(0, len(texts), self._batch))
        return self._unit([self._texts(list(block)) for block in blocks])

    @torch.no_grad()
    def _pictures(self, pictures: Sequence[Picture]) -> Float[Tensor, "n d"]:
        return self._model.encode_image(self._prepared(pictures))

    @torch.no_grad()
    def _texts(self, texts: list[str]) -> Float[Tensor, "n d"]:
        return self._model.encode_text(self._tokenizer(texts).to(self._device))

    def _unit(self, blocks: list[Tensor]) -> Float[Tensor, "n d"]:
        if not blocks:
            return torch.zeros(0, self.dimension)
        return normalize(torch.cat(blocks).float().cpu(), dim=1)


def _package() -> Any:
    try:
        import open_clip
    except ImportError as error:
        raise S3DError(
            "the package open_clip is not installed",
            why=f"the encoder open_clip is made of it ({error})",
            fix='pip install "s3d-splat[open-clip]", or look embeddings up with --encoder table',
        ) from error
    return open_clip


def _tokenizer(open_clip: Any, name: str) -> Any:
    try:
        return open_clip.get_tokenizer(name)
    except Exception as error:  # SigLIP's come with transformers, and from the network
        raise S3DError(
            f"the tokenizer of {name} is not here: {error}",
            why="SigLIP and multilingual models take theirs from the package transformers and from huggingface.co",
            fix="pip install transformers sentencepiece, and run once with a network (or copy ~/.cache/huggingface here)",
        ) from error


def _digest(model: torch.nn.Module) -> str:
    """Of all weights: the same for a download, a copy of it and another container with the same tensors."""
    digest = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
