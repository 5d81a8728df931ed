"""The pixels of one image with all that the clusters say of it: colours, one depth from several, the masks of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import Tensor

from s3d_splat.alignment.values import Source, WorldFrame
from s3d_splat.io import observations
from s3d_splat.io.observations import load_colours, load_confidence, load_depth, load_labels
from s3d_splat.types import Camera, SparseDepth

_SCALE_FRAMES = 12  # that the size of a cell is measured on
_AGREEMENT = 0.06  # depths that differ by a larger share are of different surfaces, or one of them is wrong

DepthPair = tuple[Float[Tensor, "h w"], Float[Tensor, "h w"]]  # depth, confidence


def load_image(frame: WorldFrame) -> UInt8[Tensor, "h w 3"]:
    """The image of a frame as its camera sees it, undistorted.

    Raises:
        S3DError: the file is missing, unreadable, or of another size than the camera.
    """
    first = frame.sources[0].frame
    return _seen_by(load_colours(first), first.camera, frame.camera)


def load_mask(frame: WorldFrame) -> Bool[Tensor, "h w"] | None:
    """The pixels of a frame that count, by the masks of all its sources; None if all do.

    Raises:
        S3DError: a file is missing, unreadable, or of another size than the camera.
    """
    counted = None
    for source in frame.sources:
        mask = observations.load_mask(source.frame)
        if mask is not None:
            seen = _seen_by(mask, source.frame.camera, frame.camera)
            counted = seen if counted is None else counted & seen
    return counted


def load_masks(frame: WorldFrame) -> tuple[Int[Tensor, "h w"] | None, ...]:
    """The instance mask of every source (int32, 0 = unlabelled), None where a source has none.

    The ids of each mask belong to the table of its source's cluster.

    Raises:
        S3DError: a file is missing, unreadable, or of another size than the camera.
    """
    masks = (load_labels(source.frame) for source in frame.sources)
    pairs = zip(masks, frame.sources, strict=True)
    return tuple(None if mask is None else _seen_by(mask, source.frame.camera, frame.camera) for mask, source in pairs)


def source_depth(source: Source, camera: Camera) -> DepthPair | None:
    """What one source says of the depth in the pixels of `camera`, which stands where the source's own camera stands.

    Returns:
        Depth along z (world units, 0 = none) and confidence (0..1, 0 where there is no depth), both float32; at the pixels
        of its sparse points alone if the source has no depth image; None if it has neither.

    Raises:
        S3DError: a file is missing, unreadable, or of another size than the camera.
    """
    depth = load_depth(source.frame)
    if depth is None:
        return None if source.sparse is None else _sparse_depth(source.sparse, source.frame.camera, camera)
    confidence = load_confidence(source.frame)
    known = (depth > 0).to(depth.dtype)
    trusted = known if confidence is None else known * confidence
    return _seen_by(depth, source.frame.camera, camera), _seen_by(trusted, source.frame.camera, camera)


def fused_depth(frame: WorldFrame) -> DepthPair:
    """The depth of an image, all sources together.

    In every pixel the source with the highest confidence (of equals the first) decides; those that differ from it by at
    most 6 % are averaged with it, weighted by confidence, and those that differ more are left out. Sparse points count in
    images without any depth image.

    Returns:
        Depth along z (float32, world units, 0 = none) and confidence (float32, 0..1): that of the deciding source, times the
        share of all confidence in the pixel that agrees with it.

    Raises:
        S3DError: a file is missing, unreadable, or of another size than the camera.
    """
    dense = [source for source in frame.sources if source.frame.depth_path is not None]
    read = [pair for source in dense or frame.sources if (pair := source_depth(source, frame.camera)) is not None]
    if not read:
        nothing = torch.zeros(frame.camera.height, frame.camera.width)
        return nothing, nothing.clone()
    return read[0] if len(read) == 1 else _agreed(read)


def cell_size(frames: Sequence[WorldFrame], share: float) -> float:
    """Edge of a cell: `share` of the median depth of some frames, in world units (1.0 if no frame has depth).

    A world from structure from motion has any unit of length, so that a fixed edge would mean nothing.
    """
    chosen = frames[:: max(1, len(frames) // _SCALE_FRAMES)]
    medians = [float(known.median()) for frame in chosen if len(known := (depth := fused_depth(frame)[0])[depth > 0])]
    return share * float(np.median(medians)) if medians else 1.0


def _agreed(pairs: Sequence[DepthPair]) -> DepthPair:
    depth, confidence = (torch.stack(layers) for layers in zip(*pairs, strict=True))
    # A depth that nobody trusts still goes before no depth at all.
    weight = torch.where(depth > 0, confidence.clamp(min=1e-6), torch.zeros_like(confidence))
    best, decider = weight.max(dim=0)  # the first of equals
    reference = depth.gather(0, decider[None])
    agreeing = weight * ((depth - reference).abs() <= _AGREEMENT * reference)
    total, agreed = weight.sum(0), agreeing.sum(0)
    known = total > 0
    mean = (agreeing * depth).sum(0) / agreed.clamp(min=1e-12)
    return torch.where(known, mean, 0.0), torch.where(known, best * agreed / total.clamp(min=1e-12), 0.0)


def _sparse_depth(sparse: SparseDepth, own: Camera, camera: Camera) -> DepthPair:
    """The nearest point of every pixel."""
    column = torch.floor((sparse.pixels[:, 0] - own.cx) * (camera.fx / own.fx) + camera.cx).long()
    row = torch.floor((sparse.pixels[:, 1] - own.cy) * (camera.fy / own.fy) + camera.cy).long()
    seen = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height) & (sparse.depth > 0)
    flat = torch.full((camera.height * camera.width,), float("inf"))
    flat.scatter_reduce_(0, (row * camera.width + column)[seen], sparse.depth[seen].to(flat), "amin")
    known = torch.isfinite(flat)
    shape = (camera.height, camera.width)
    return torch.where(known, flat, 0.0).reshape(shape), known.to(flat).reshape(shape)


def _seen_by(pixels: Shaped[Tensor, "h w *c"], own: Camera, camera: Camera) -> Shaped[Tensor, "H W *c"]:
    """The pixels of an image (0 outside it) in the nearest pixels of another camera at the same place.

    Clusters can disagree about the intrinsics of an image; where they agree, the pixels stay as they are.
    """
    if _intrinsics(own) == _intrinsics(camera):
        return pixels
    rows = _positions(camera.height, camera.cy, camera.fy, own.cy, own.fy)
    columns = _positions(camera.width, camera.cx, camera.fx, own.cx, own.fx)
    moved = pixels[rows.clamp(0, own.height - 1)][:, columns.clamp(0, own.width - 1)]
    inside = ((rows >= 0) & (rows < own.height))[:, None] & ((columns >= 0) & (columns < own.width))
    return moved * inside.reshape(*inside.shape, *([1] * (pixels.ndim - 2)))


def _positions(size: int, centre: float, focal: float, own_centre: float, own_focal: float) -> Int[Tensor, " n"]:
    along = (torch.arange(size, dtype=torch.float64) + 0.5 - centre) * (own_focal / focal) + own_centre
    return torch.floor(along).long()


def _intrinsics(camera: Camera) -> tuple[float | int, ...]:
    return camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height
