"""Masks as the capture brings them."""

from __future__ import annotations

from pathlib import Path

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.priors.masks.base import Load, Save
from s3d_splat.types import Capture, PosedCluster


class GivenMasks:
    """Takes the instance images of the capture as they are; reads no file."""

    name = title = "given"

    def check(self, capture: Capture) -> None:
        """At least one view of the capture needs masks. Raises S3DError."""
        if not any(view.instance_path for cluster in capture.clusters for view in cluster.views):
            raise S3DError(
                f"{capture.root}: no image has masks",
                why="the prior 'given' takes the instance images of the capture, and there are none",
                fix="add instance images to the capture, or let regions be found: `--masks felzenszwalb`",
            )

    def segment(
        self, cluster: PosedCluster, work: Path, load: Load, save: Save, advance: Advance | None = None
    ) -> PosedCluster:
        """The cluster as it is; frames without masks stay without."""
        return cluster
