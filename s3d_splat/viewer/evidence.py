"""What the masks of the training views say, gathered once and kept: other thresholds are then a matter of a moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Int
from torch import Tensor

from s3d_splat.instances.build import instances_from_evidence, mask_classes
from s3d_splat.instances.evidence import MaskedView, MaskEvidence, gather_evidence
from s3d_splat.instances.options import InstanceOptions
from s3d_splat.io.observations import load_observation
from s3d_splat.pipeline.runs import TrainedRun, decode
from s3d_splat.types import InstanceSet

LEAST_PIXELS = 36
"""A view in which an object covers less rendering weight does not see it."""


class SceneEvidence:
    """The evidence of a trained run; gathered when it is first needed, or beforehand by `gather`."""

    def __init__(self, run: TrainedRun, pause: Callable[[], None]) -> None:
        """`pause` is called before each view, and may wait."""
        self._run, self._pause = run, pause
        self._lock = threading.Lock()
        self._gathered: MaskEvidence | None = None

    def gather(self) -> MaskEvidence:
        """All of it; takes about as long as rendering every training view."""
        with self._lock:
            if self._gathered is None:
                self._gathered = gather_evidence(
                    self._views(),
                    lambda camera: decode(self._run.field, camera),
                    self._run.rasterizer,
                    mask_classes(self._run.scene.instances, self._run.scene.classes),
                    self._run.config.instances.relift,
                )
            return self._gathered

    def regrouped(self, options: InstanceOptions) -> InstanceSet:
        """The objects that other thresholds give."""
        field = self._run.field
        return instances_from_evidence(
            field.positions, field.feature.detach(), lambda camera: decode(field, camera), self.gather(), options
        )

    def views_that_see(self, child_instance: Int[Tensor, "a k"], id: int) -> int | None:
        """In how many training views an object is seen; None: not known yet."""
        gathered = self._gathered
        if gathered is None:
            return None
        owner = child_instance.reshape(-1)[: len(gathered.seen)].cpu().numpy()  # copies come last, and no view saw them
        pixels = np.bincount(gathered.view, weights=gathered.weights @ (owner == id).astype(np.float64))
        return int((pixels >= LEAST_PIXELS).sum())

    def _views(self) -> Iterator[MaskedView]:
        for frame in self._run.scene.frames:
            if frame.split == "train" and frame.instance_path is not None:
                self._pause()
                observed = load_observation(frame)
                assert observed.instances is not None
                yield MaskedView(frame.camera, observed.instances, observed.semantics, observed.mask)
