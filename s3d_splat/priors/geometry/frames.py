"""A view of a capture as a posed frame."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from s3d_splat.geometry.lenses import undistorted_intrinsics
from s3d_splat.types import Camera, CaptureView, Frame, Lens


def frame_of(view: CaptureView, lens: Lens, T_cluster_camera: Float[Tensor, "4 4"]) -> Frame:
    """The frame of a view that was taken through `lens` (of the stored image) from a pose in the cluster's gauge.

    The camera is the one after undistortion; a lens without distortion is not handed on, there is nothing to undo.
    An image without a split is for training.
    """
    bends = (lens.k1, lens.k2, lens.p1, lens.p2) != (0.0, 0.0, 0.0, 0.0)
    fx, fy, cx, cy = undistorted_intrinsics(lens, view.width, view.height) if bends else (lens.fx, lens.fy, lens.cx, lens.cy)
    return Frame(
        file_path=f"images/{view.name}",
        camera=Camera(T_cluster_camera, fx=fx, fy=fy, cx=cx, cy=cy, width=view.width, height=view.height),
        split=view.split or "train",
        image_path=view.image_path,
        depth_path=view.depth_path,
        instance_path=view.instance_path,
        semantic_path=None,
        lens=lens if bends else None,
        depth_scale=view.depth_scale,
        confidence_path=view.confidence_path,
        mask_path=view.mask_path,
    )
