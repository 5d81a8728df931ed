"""SAM 3: what words name, with classes; without words everything in the images, as SAM 2 finds it.

Source: N. Carion et al., "SAM 3: Segment anything with concepts", 2025 (transformers).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from pathlib import Path

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.priors.masks.base import Load, Save
from s3d_splat.priors.masks.options import Sam3Options
from s3d_splat.priors.masks.tracking.automatic import AutomaticFollower
from s3d_splat.priors.masks.tracking.chunks import Follower, follow_cluster
from s3d_splat.priors.masks.tracking.models import segment_anything
from s3d_splat.priors.masks.tracking.prompted import PromptedFollower
from s3d_splat.priors.weights import find_weights, load_pretrained, release, require
from s3d_splat.types import Capture, PosedCluster

_NAMES = ("Sam3VideoModel", "Sam3VideoProcessor", "Sam3TrackerModel", "Sam3TrackerVideoModel", "Sam3TrackerVideoProcessor")
_INSTALL = "pip install -U 's3d-splat[masks]'"


class Sam3Masks:
    """Objects by prompts of words, or all of them; an object has one id in all frames of its cluster."""

    name = "sam3"

    def __init__(self, options: Sam3Options, accepted: Sequence[str] = ()) -> None:
        """`accepted`: names of licences that the user has accepted."""
        self._options, self._accepted = options, tuple(accepted)
        what = ", ".join(options.prompts) if options.prompts else "objects without classes"
        self.title = f"sam3 ({options.model}: {what})"

    def check(self, capture: Capture) -> None:
        """Prompts are words, transformers is installed, the weights are here or to be had. Raises S3DError."""
        if any(not prompt.strip() for prompt in self._options.prompts):
            raise S3DError(
                "a prompt of --sam3.prompts is empty", why="it names a class", fix="give words: chair 'floor lamp'"
            )
        assert self._folder

    def segment(
        self, cluster: PosedCluster, work: Path, load: Load, save: Save, advance: Advance | None = None
    ) -> PosedCluster:
        """See `MaskPrior`; the model is loaded for the call and released after it, finished chunks of frames are kept.

        Raises:
            S3DError: the weights do not fit, an image cannot be read, or a mask cannot be written.
        """
        options = self._options
        making = cache(self._prompted if options.prompts else self._automatic)
        try:
            return follow_cluster(cluster, work, load, save, lambda: making()(), options.track.chunk, options, advance)
        finally:
            making.cache_clear()
            release()

    @cached_property
    def _folder(self) -> Path:
        require("transformers", _NAMES, "--masks sam3", _INSTALL)
        return find_weights(self._options.model, self._options.weights, "--sam3", self._accepted)

    def _prompted(self) -> Callable[[], Follower]:
        folder, options = self._folder, self._options
        from transformers import Sam3VideoModel, Sam3VideoProcessor

        model = load_pretrained(Sam3VideoModel, folder, "--sam3")
        processor = load_pretrained(Sam3VideoProcessor, folder, "--sam3")
        return lambda: PromptedFollower(model, processor, options.prompts, options.track)

    def _automatic(self) -> Callable[[], Follower]:
        folder, options = self._folder, self._options
        from transformers import Sam3TrackerConfig, Sam3TrackerModel, Sam3TrackerVideoModel, Sam3TrackerVideoProcessor

        video = load_pretrained(Sam3TrackerVideoModel, folder, "--sam3")
        processor = load_pretrained(Sam3TrackerVideoProcessor, folder, "--sam3")
        models = segment_anything(Sam3TrackerModel, Sam3TrackerConfig, video, processor)
        return lambda: AutomaticFollower(models, options.propose, options.track)
