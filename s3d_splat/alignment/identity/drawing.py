"""The second pass over the images: masks drawn again, written, and what became of each object in each image."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from s3d_splat.alignment.identity.joining import FrameTracks
from s3d_splat.alignment.identity.lifting import sampled_pixels, unprojected
from s3d_splat.alignment.identity.redraw import Look, reach, redrawn
from s3d_splat.alignment.identity.values import ObjectTrack, Rejection
from s3d_splat.alignment.identity.votes import IdVotes
from s3d_splat.alignment.pixels import fused_depth, load_masks
from s3d_splat.alignment.values import WorldFrame
from s3d_splat.geometry.voxels import voxel_keys
from s3d_splat.io.results import write_id_png
from s3d_splat.types import ProxyGeometry

_SHOWN = 10  # pixels: less of an object is not reported as seen
_REJECTED = 0.1  # of a given mask agrees with the drawn one, or the mask was wrong


class Drawing:
    """Draws images one after the other, with the images around each in memory."""

    def __init__(self, tracks: Mapping[int, FrameTracks], ids: Int[np.ndarray, " t"], cell: float, folder: Path) -> None:
        """`ids` are the global ids of tracks; `cell` is the edge (world units) within which points share their votes."""
        self._tracks, self._ids, self._cell, self._folder = tracks, ids, cell, folder
        self._given: dict[int, list[int]] = defaultdict(list)
        self._filled: dict[int, list[int]] = defaultdict(list)
        self._lost: dict[int, list[int]] = defaultdict(list)
        self._agreement: dict[int, list[float]] = defaultdict(list)
        self._rejected: list[Rejection] = []
        self._votes = IdVotes()

    def draw(self, frames: Sequence[WorldFrame]) -> Iterator[WorldFrame]:
        """Write the masks of all frames; each frame is handed on when its masks are written."""
        window: deque[Look] = deque()
        ahead = 0
        span = min((reach(frame.camera) for frame in frames), default=0)
        for place, frame in enumerate(frames):
            while ahead < min(place + span + 1, len(frames)):
                window.append(self._look(frames[ahead]))
                ahead += 1
            while window[0].index < frames[max(0, place - span)].index:
                window.popleft()
            look = next(item for item in window if item.index == frame.index)
            labels = redrawn(look, [item for item in window if item.index != frame.index and not item.is_test])
            if labels.any():
                write_id_png(self._folder / f"{Path(frame.name).stem}.png", torch.from_numpy(labels))
            self._record(frame, look, labels)
            if not frame.is_test:
                self._vote(frame, look, labels)
            yield frame

    def tracks(self) -> tuple[dict[int, ObjectTrack], dict[int, float], tuple[Rejection, ...]]:
        """Per id that was drawn anywhere: where it was found, and how well its given masks agree with the drawn ones."""
        ids = sorted(set(self._given) | set(self._filled))
        found = {
            number: ObjectTrack(tuple(self._given[number]), tuple(self._filled[number]), tuple(self._lost[number]))
            for number in ids
        }
        scores = {number: float(np.mean(self._agreement[number])) if self._agreement[number] else 0.0 for number in ids}
        return found, scores, tuple(self._rejected)

    def point_ids(self, proxy: ProxyGeometry) -> Int[Tensor, " n"]:
        """The id (int32, 0 = none) that the drawn masks give each point of the proxy."""
        if not len(proxy.points):
            return torch.zeros(0, dtype=torch.int32)
        return torch.from_numpy(self._votes.winners(voxel_keys(proxy.points, self._cell).numpy()))

    def _look(self, frame: WorldFrame) -> Look:
        labels = []
        tracks = self._tracks[frame.index]
        masks = [mask for mask in load_masks(frame) if mask is not None]
        for mask, given, track in zip(masks, tracks.ids, tracks.tracks, strict=True):
            lookup = np.zeros(int(given.max(initial=0)) + 1, dtype=np.uint16)
            lookup[given] = self._ids[track]
            labels.append(lookup[mask.numpy().ravel()])
        return Look(frame.index, frame.camera, fused_depth(frame)[0].numpy(), tuple(labels), frame.is_test)

    def _record(self, frame: WorldFrame, look: Look, labels: Int[np.ndarray, "h w"]) -> None:
        flat = labels.ravel()
        drawn = np.bincount(flat)
        shown = {int(number) for number in np.flatnonzero(drawn) if number and drawn[number] >= _SHOWN}
        given_here: set[int] = set()
        tracks = self._tracks[frame.index]
        for source, own in enumerate(look.labels):
            sizes, kept = np.bincount(own), np.bincount(own[own == flat])
            for given, track in zip(tracks.ids[source].tolist(), tracks.tracks[source].tolist(), strict=True):
                number = int(self._ids[track])
                if not number or sizes[number] < _SHOWN:
                    continue
                shared = int(kept[number]) if number < len(kept) else 0
                union = int(sizes[number]) + (int(drawn[number]) if number < len(drawn) else 0) - shared
                if not frame.is_test:
                    self._agreement[number].append(shared / union)
                if shared < _REJECTED * sizes[number]:
                    self._rejected.append(
                        Rejection(frame.index, tracks.clusters[source], given, "other images see something else there")
                    )
                    self._lost[number].append(frame.index)
                else:
                    given_here.add(number)
        for number in shown:
            (self._given if number in given_here else self._filled)[number].append(frame.index)

    def _vote(self, frame: WorldFrame, look: Look, labels: Int[np.ndarray, "h w"]) -> None:
        grid = sampled_pixels(*labels.shape)
        flat, depth = labels.ravel(), look.depth.ravel()
        chosen = grid[(depth[grid] > 0) & (flat[grid] > 0)]
        keys = voxel_keys(unprojected(frame.camera, chosen, depth[chosen]), self._cell).numpy()
        self._votes.add(keys, flat[chosen], np.ones(len(chosen), dtype=np.float32))
