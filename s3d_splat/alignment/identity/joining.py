"""From tracks to objects: all evidence of the capture, solved at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from s3d_splat.alignment.identity.evidence import beside_evidence, objects_of, pixel_evidence, space_evidence
from s3d_splat.alignment.identity.graph import Comparison
from s3d_splat.alignment.identity.tables import TrackTable
from s3d_splat.alignment.identity.tracks import ClusterTracks
from s3d_splat.alignment.identity.values import LiftedFrame, View
from s3d_splat.alignment.options import IdentityOptions

_BESIDE_FRAMES = 2  # side by side in fewer may be an accident at the border of two objects


@dataclass
class FrameTracks:
    """Which track each given id of one image is, per source with masks."""

    clusters: tuple[int, ...]
    ids: tuple[Int[np.ndarray, " _"], ...]
    tracks: tuple[Int[np.ndarray, " _"], ...]  # parallel to `ids`, each to each


@dataclass
class Collector:
    """Takes the lifted images in the order of time and keeps what the solution needs: tracks, views, pixel evidence."""

    options: IdentityOptions
    table: TrackTable
    frames: dict[int, FrameTracks] = field(default_factory=dict)
    pixels: list[Comparison] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)  # labelled pixels of each track in images to train with
    _open: dict[int, ClusterTracks] = field(default_factory=dict)
    _views: list[View] = field(default_factory=list)

    def add(self, frame: LiftedFrame) -> None:
        """The next image."""
        tracks, seen = [], []
        for cluster, cells, (ids, counts), pixels in zip(
            frame.clusters, frame.cells, frame.labelled, frame.pixels, strict=True
        ):
            if cluster not in self._open:
                self._open[cluster] = ClusterTracks(cluster, self.table, check_space=self.options.overlap != "2d")
            found = self._open[cluster].add(ids, counts, cells)
            for track, count in zip(found.tolist(), counts.tolist(), strict=True):
                self.sizes[track] = self.sizes.get(track, 0) + (0 if frame.is_test else count)
            lookup = np.full(int(ids.max(initial=0)) + 1, -1)
            lookup[ids] = found
            tracks.append(found)
            seen.append(lookup[pixels])
        self.frames[frame.index] = FrameTracks(frame.clusters, tuple(ids for ids, _ in frame.labelled), tuple(tracks))
        if self.options.overlap != "3d" and len(seen) > 1:
            self._compare(seen, frame)

    def views(self) -> list[View]:
        """All views; after the last image."""
        for tracks in self._open.values():
            tracks.close()
            self._views += tracks.views
        self._open = {}
        return self._views

    def _compare(self, seen: list[Int[np.ndarray, " p"]], frame: LiftedFrame) -> None:
        for second in range(len(seen)):
            for first in range(second):
                labelled = max(int((seen[first] >= 0).sum()), 1)
                cells = len(np.unique(frame.cells[first].key)) or labelled  # without depth a pixel is a cell
                self.pixels.append(pixel_evidence(seen[first], seen[second], cells / labelled))


def objects(collector: Collector) -> Int[np.ndarray, " t"]:
    """The group (0, 1, ...) of every track; after the last image."""
    views, table = collector.views(), collector.table
    leaders = table.leaders()
    evidence = [beside_evidence(views, len(table), _BESIDE_FRAMES)]
    evidence += [Comparison(leaders[entry.pair], entry.agreed, entry.compared) for entry in collector.pixels]
    if collector.options.overlap != "2d":
        evidence.append(space_evidence(views, len(table)))
    return objects_of(views, evidence, table.class_ids(), table.stuff())[leaders]
