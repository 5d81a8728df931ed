"""A wall of small Gaussians before a camera, one object every few columns, for tests that need a rasterizer."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix

from s3d_splat.instances.evidence import MaskEvidence
from s3d_splat.types import Camera, Gaussians

SIDE = 24  # Gaussians and pixels along an edge of the wall
Z = 4.0


def camera(shift: float = 0.0) -> Camera:
    """Sees Gaussian (row, column) in the middle of pixel (row, column) if `shift` (pixels to the right) is 0."""
    pose = torch.eye(4)
    pose[0, 3] = shift
    return Camera(pose, fx=Z, fy=Z, cx=SIDE / 2, cy=SIDE / 2, width=SIDE, height=SIDE)


def wall() -> Gaussians:
    """SIDE x SIDE nearly opaque Gaussians in rows, one a pixel."""
    axis = torch.arange(SIDE) + 0.5 - SIDE / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    means = torch.stack((x, y, torch.full_like(x, Z)), dim=-1).reshape(-1, 3)
    count = len(means)
    return Gaussians(
        means=means,
        log_scales=torch.full((count, 3), -3.0),
        quaternions=torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(count, 4),
        opacities=torch.full((count,), 0.95),
        colours=torch.full((count, 3), 0.5),
    )


def stripes(*widths: int) -> torch.Tensor:
    """[SIDE, SIDE] labels 1, 2, ... of vertical stripes of the given widths."""
    row = torch.cat([torch.full((width,), number + 1) for number, width in enumerate(widths)])
    return row.expand(SIDE, SIDE).int()


def evidence(*views: list[int], class_ids: dict[int, int] | None = None, stuff: tuple[int, ...] = ()) -> MaskEvidence:
    """Each view lists, for every Gaussian, the mask over it (weight 1 each): 0 = unlabelled, -1 = not seen.

    `class_ids` gives classes to mask numbers, the same ones in every view.
    """
    rows, columns, view_of, class_of, id_of = [], [], [], [], []
    seen = np.zeros(len(views[0]))
    for number, masks in enumerate(views):
        row = {mask: len(view_of) + i for i, mask in enumerate(sorted(set(masks) - {0, -1}))}
        view_of += [number] * len(row)
        id_of += list(row)
        class_of += [(class_ids or {}).get(mask, 0) for mask in row]
        rows += [row[mask] for mask in masks if mask > 0]
        columns += [i for i, mask in enumerate(masks) if mask > 0]
        seen += np.array(masks) >= 0
    class_id = np.array(class_of, dtype=np.int64)
    return MaskEvidence(
        weights=csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(view_of), len(seen))),
        view=np.array(view_of, dtype=np.int64),
        class_id=class_id,
        stuff=np.isin(class_id, stuff),
        given_id=np.array(id_of, dtype=np.int64),
        seen=seen,
        means=np.stack((np.arange(len(seen)), np.zeros(len(seen)), np.zeros(len(seen))), axis=1).astype(np.float64),
    )
