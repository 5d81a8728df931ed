"""What evaluation compares with: exact layers of every frame and labelled points on the surfaces."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int

from s3d_splat.io.scene_writer import TruthPoints
from s3d_splat.synthetic.points import VisibilityFilter, surface_points
from s3d_splat.synthetic.render import Pinhole, RenderedFrame
from s3d_splat.synthetic.stage import Stage, stream
from s3d_splat.types import Camera, Observation

_Labels = Int[np.ndarray, "h w"]


class TruthCollector:
    """Gathers, over the training frames, which surface points are seen."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._surface = surface_points(stage.world, stream(seed, "points"))
        self._visible = VisibilityFilter(stage.world, self._surface, stage.camera, stage.caster)

    def add(self, index: int, frame: RenderedFrame) -> None:
        """A training frame and its index on the path."""
        self._visible.add_view(self._stage.poses[index], frame.depth)

    def points(self) -> TruthPoints:
        """The points seen so far, labelled."""
        seen = self._visible.seen()
        instance = self._stage.world.face_instance[self._surface.face[seen]]
        return TruthPoints(
            torch.from_numpy(self._surface.xyz[seen].astype(np.float32)),
            torch.from_numpy(instance),
            torch.from_numpy(self._stage.world.instance_class[instance]),
        )


def true_observation(stage: Stage, frame: RenderedFrame) -> Observation:
    """All layers of a frame without faults."""
    return observation(frame, frame.depth, (frame.instances, stage.world.instance_class[frame.instances]))


def observation(frame: RenderedFrame, depth: Float[np.ndarray, "h w"], masks: tuple[_Labels, _Labels] | None) -> Observation:
    """The frame's image with the given depth (metres) and, where there are any, instance and class ids."""
    instances, semantics = (None, None) if masks is None else (torch.from_numpy(labels) for labels in masks)
    return Observation(torch.from_numpy(frame.image), torch.from_numpy(depth), instances, semantics)


def posed(camera: Pinhole, pose: Float[np.ndarray, "4 4"]) -> Camera:
    """The camera at a pose (OpenCV axes)."""
    return Camera(torch.from_numpy(pose), camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)
