"""Panoptic segmentation, one image at a time: things and stuff with classes; a thing has another id in every frame.

Sources: B. Cheng et al., "Masked-attention mask transformer for universal image segmentation", CVPR 2022; T. Kerssies et
al., "Your ViT is secretly an image segmentation model", CVPR 2025 (EoMT). Both through transformers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from s3d_splat.console import Advance
from s3d_splat.priors.masks.base import Load, Save
from s3d_splat.priors.masks.options import PanopticOptions
from s3d_splat.priors.masks.stuff import is_stuff
from s3d_splat.priors.masks.tracking.chunks import LAST_ID, Found, follow_cluster
from s3d_splat.priors.weights import find_weights, load_pretrained, release, require
from s3d_splat.types import Capture, ClassInfo, PosedCluster

log = logging.getLogger("s3d_splat")

_CHUNK = 64  # frames that are lost when a call is cut off, at most
_INSTALL = "pip install -U 's3d-splat[masks]'"
# Model, image processor, and "fuse no classes" in the words of the processor: stuff becomes one here, and Mask2Former's way
# of fusing gives one id to two segments where a stuff class comes twice.
_KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "mask2former": ("Mask2FormerForUniversalSegmentation", "Mask2FormerImageProcessor", {"label_ids_to_fuse": set()}),
    "eomt": ("EomtForUniversalSegmentation", "EomtImageProcessor", {"stuff_classes": []}),
}


class PanopticMasks:
    """Segments with classes; the alignment finds out which segments of different frames are one object."""

    def __init__(self, name: str, options: PanopticOptions, accepted: Sequence[str] = ()) -> None:
        """`name`: `mask2former` or `eomt`; `accepted`: names of licences that the user has accepted."""
        self.name, self._options, self._accepted = name, options, tuple(accepted)
        self.title = f"{name} ({options.model})"

    def check(self, capture: Capture) -> None:
        """transformers must be installed, and the weights be here or to be had. Raises S3DError."""
        assert self._folder

    def segment(
        self, cluster: PosedCluster, work: Path, load: Load, save: Save, advance: Advance | None = None
    ) -> PosedCluster:
        """See `MaskPrior`; the model is loaded for the call and released after it, finished chunks of frames are kept.

        Raises:
            S3DError: the weights do not fit, an image cannot be read, or a mask cannot be written.
        """
        making = cache(self._models)
        made_from = (self.name, self._options)

        def start() -> PanopticFollower:
            return PanopticFollower(*making(), _KINDS[self.name][2], self._options.score)

        try:
            return follow_cluster(cluster, work, load, save, start, _CHUNK, made_from, advance)
        finally:
            making.cache_clear()
            release()

    @cached_property
    def _folder(self) -> Path:
        require("transformers", _KINDS[self.name][:2], f"--masks {self.name}", _INSTALL)
        return find_weights(self._options.model, self._options.weights, f"--{self.name}", self._accepted)

    def _models(self) -> tuple[Any, Any]:
        import transformers

        model, processor = (getattr(transformers, kind) for kind in _KINDS[self.name][:2])
        flag = f"--{self.name}"
        return load_pretrained(model, self._folder, flag), load_pretrained(processor, self._folder, flag)


class PanopticFollower:
    """Segments every image for itself: a stuff class has one id in all of them, a thing has a new one in each."""

    def __init__(self, model: Any, processor: Any, separate: Mapping[str, Any], score: float) -> None:
        """`separate`: what tells the processor to fuse nothing; `score`: least one of a segment."""
        self._model, self._processor, self._separate, self._score = model, processor, separate, score
        names = {int(label): str(name) for label, name in model.config.id2label.items()}
        self._classes = {label: ClassInfo(label + 1, name, not is_stuff(name)) for label, name in names.items()}
        if all(name.startswith("LABEL_") for name in names.values()):
            log.warning("The config.json of these weights names no classes: they are called LABEL_0, LABEL_1, ...")
        self._stuff_id: dict[int, int] = {}  # by label
        self._next_id = 1
        self.found: dict[int, Found] = {}

    def follow(
        self, images: Iterable[UInt8[Tensor, "h w 3"]], seed: Int[Tensor, "h w"] | None, next_id: int
    ) -> Iterator[Int[Tensor, "h w"]]:
        """See `Follower`; nothing is learned from the chunk before, so that its frame is left empty."""
        self._next_id = next_id
        for step, image in enumerate(images):
            if step == 0 and seed is not None:
                yield torch.zeros_like(seed)
            else:
                yield self._labels(image)

    @torch.inference_mode()
    def _labels(self, image: UInt8[Tensor, "h w 3"]) -> Int[Tensor, "h w"]:
        inputs = self._processor(images=image.permute(2, 0, 1), return_tensors="pt").to(self._model.device)
        answer = self._model(pixel_values=inputs["pixel_values"])
        sizes = [(image.shape[0], image.shape[1])]
        said = self._processor.post_process_panoptic_segmentation(
            answer, target_sizes=sizes, threshold=self._score, **self._separate
        )[0]
        labels = torch.zeros(*sizes[0], dtype=torch.int32)
        for segment in said["segments_info"]:
            where = (said["segmentation"] == segment["id"]).cpu()
            if where.any():
                labels[where] = self._number(segment["label_id"], segment["score"])
        return labels

    def _number(self, label: int, score: float) -> int:
        """The id of a segment: that of its class if it is stuff, else a new one; 0 when there are no more."""
        info = self._classes[label]
        if label in self._stuff_id:
            return self._stuff_id[label]
        if self._next_id > LAST_ID:
            return 0
        number, self._next_id = self._next_id, self._next_id + 1
        self.found[number] = Found(info, float(score))
        if not info.is_thing:
            self._stuff_id[label] = number
        return number
