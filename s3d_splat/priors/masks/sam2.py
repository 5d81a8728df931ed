"""SAM 2: everything in the images as objects, with ids that hold through a cluster; no classes.

Source: N. Ravi et al., "SAM 2: Segment anything in images and videos", ICLR 2025 (transformers).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path

from s3d_splat.console import Advance
from s3d_splat.priors.masks.base import Load, Save
from s3d_splat.priors.masks.options import Sam2Options
from s3d_splat.priors.masks.tracking.automatic import AutomaticFollower
from s3d_splat.priors.masks.tracking.chunks import follow_cluster
from s3d_splat.priors.masks.tracking.models import SegmentAnything, segment_anything
from s3d_splat.priors.weights import find_weights, load_pretrained, release, require
from s3d_splat.types import Capture, PosedCluster

_INSTALL = "pip install 's3d-splat[masks]'"


class Sam2Masks:
    """Masks of a grid of points in key frames, followed by SAM 2; an object has one id in all frames of its cluster."""

    name = "sam2"

    def __init__(self, options: Sam2Options, accepted: Sequence[str] = ()) -> None:
        """`accepted`: names of licences that the user has accepted."""
        self._options, self._accepted = options, tuple(accepted)
        self.title = f"sam2 ({options.model}: objects without classes)"

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
        options = self._options

        @cache
        def models() -> SegmentAnything:
            return self._models()

        def start() -> AutomaticFollower:
            return AutomaticFollower(models(), options.propose, options.track)

        try:
            return follow_cluster(cluster, work, load, save, start, options.track.chunk, options, advance)
        finally:
            models.cache_clear()
            release()

    @cached_property
    def _folder(self) -> Path:
        require("transformers", ("Sam2Model", "Sam2VideoModel", "Sam2VideoProcessor"), "--masks sam2", _INSTALL)
        return find_weights(self._options.model, self._options.weights, "--sam2", self._accepted)

    def _models(self) -> SegmentAnything:
        folder = self._folder
        from transformers import Sam2Config, Sam2Model, Sam2VideoModel, Sam2VideoProcessor

        video = load_pretrained(Sam2VideoModel, folder, "--sam2")
        return segment_anything(Sam2Model, Sam2Config, video, load_pretrained(Sam2VideoProcessor, folder, "--sam2"))
