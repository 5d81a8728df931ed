"""Masks of different frames joined by view consensus on the proxy cloud, with no training (MaskClustering's idea).

A mask is the set of proxy points that it shows. A frame observes a set if enough of its points lie under masks of that
frame, and it contains the set if one of those masks holds nearly all of them. Two sets are one object if, of the frames that
observe both, most contain both in one mask. Sets that many frames agree on join first, and are observed anew together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor

from benchmarks.instances.alternatives.base import LabelledView, Labels, Material
from s3d_splat.geometry.cameras import is_in_view, project
from s3d_splat.geometry.neighbours import nearest_neighbours
from s3d_splat.instances.consensus import cluster_columns
from s3d_splat.instances.evidence import MaskClasses, MaskedView, gather_evidence
from s3d_splat.instances.graph import components

_PERCENTILES = range(95, -1, -5)  # of the observers that pairs have; the pairs above one join, then those above the next
_NEAR, _NEAR_SHARE = 0.03, 0.02  # metres, and of the depth; a point this close to the depth image is what the pixel shows
_PAIRS = 1 << 18  # whose frames are compared at a time


@dataclass(frozen=True)
class MaskSets:
    """The m masks of all frames over the p proxy points."""

    holds: csr_matrix  # [m, p] 1 where a mask shows a point
    frame: Int[np.ndarray, " m"]
    given: Int[np.ndarray, " m"]  # id in its frame
    class_id: Int[np.ndarray, " m"]


@dataclass(frozen=True)
class MaskGraph:
    """View-consensus clustering; each constant is a share unless it says otherwise."""

    agreement: float = 0.6  # share of the observing frames
    containment: float = 0.6  # of the points that a frame shows of a set
    visible: float = 0.3  # of a set, or the frame does not observe it
    split: float = 0.3  # of the observing frames; a mask that more of them break holds several objects and joins nothing
    min_masks: int = 2  # an object of fewer is noise
    points: int = 50_000  # of the proxy, at most
    transfer: Literal["nearest", "lift"] = "lift"  # Gaussians take the nearest point's object, or that of their masks
    reach: float = 0.1  # metres to the nearest point

    def labels(self, material: Material) -> Labels:
        """Objects of things from the graph, of stuff from the classes of masks."""
        order = torch.randperm(len(material.cloud), generator=torch.Generator().manual_seed(0))
        cloud = material.cloud[order[: self.points]]
        sets = _mask_sets(material, cloud)
        stuff = sorted(material.classes.stuff)
        is_stuff = np.isin(sets.class_id, stuff)
        label = np.searchsorted(stuff, sets.class_id) + 1
        label[~is_stuff] = self._clusters(sets, ~is_stuff)
        label[~is_stuff & (label > 0)] += len(stuff)
        if self.transfer == "lift":
            table = {(int(f), int(i)): int(k) for f, i, k in zip(sets.frame, sets.given, label, strict=True)}
            views = (_relabelled(view.masked, number, table) for number, view in enumerate(material.views()))
            return _lifted(material, views)
        votes = csr_matrix(sets.holds.T @ cluster_columns(np.where(label > 0, label, -1), int(label.max(initial=0)) + 1))
        owner = np.asarray(votes.argmax(axis=1)).ravel()
        known = torch.from_numpy(np.flatnonzero(owner > 0))
        means = torch.from_numpy(material.evidence.means)
        nearest = nearest_neighbours(means, cloud[known].to(means), 1, self.reach)[1][:, 0].numpy()
        return np.where(nearest >= 0, owner[known.numpy()][nearest], 0) if len(known) else np.zeros(len(means), np.int64)

    def _clusters(self, sets: MaskSets, members: Bool[np.ndarray, " m"]) -> Int[np.ndarray, " k"]:
        """Cluster 1, 2, ... of each member mask, 0 for those that belong to none."""
        chosen = np.flatnonzero(members)
        current = csr_matrix(sets.holds[chosen])
        observed, contained = self._observations(current, sets)
        observers, holders = (np.asarray(matrix.sum(axis=1)).ravel() for matrix in (observed, contained))
        sound = observers - holders <= self.split * observers
        chosen, current = chosen[sound], csr_matrix(current[sound])
        group = np.arange(len(chosen))
        counts = _shared_frames(csr_matrix(observed[sound]), csr_matrix(contained[sound])).observers
        for percentile in _PERCENTILES if len(counts) else ():
            shared = _shared_frames(*self._observations(current, sets))
            agree = shared.supporters >= self.agreement * shared.observers
            pairs = shared.pairs[agree & (shared.observers >= np.percentile(counts, percentile))]
            step = components(current.shape[0], torch.from_numpy(pairs)).numpy()
            group = step[group]
            current = csr_matrix(cluster_columns(step, int(step.max()) + 1).T @ current)
            current.data[:] = 1
        kept = np.bincount(group, minlength=1) >= self.min_masks
        result = np.zeros(len(sets.frame), dtype=np.int64)
        result[chosen] = np.where(kept, np.cumsum(kept), 0)[group]
        return result[members]

    def _observations(self, current: csr_matrix, sets: MaskSets) -> tuple[csr_matrix, csr_matrix]:
        """[c, frames] which frames observe a set of points, and [c, m] which mask of an observing frame contains it."""
        under = csr_matrix(current @ sets.holds.T)
        shown = csr_matrix(under @ cluster_columns(sets.frame, int(sets.frame.max(initial=-1)) + 1))
        least = self.visible * np.asarray(current.sum(axis=1)).ravel()
        observed = _where(shown, lambda row, column, points: points >= least[row])
        in_frame = shown.toarray()
        contained = _where(
            under,
            lambda row, column, points: (
                (points >= self.containment * in_frame[row, sets.frame[column]])
                & (in_frame[row, sets.frame[column]] >= least[row])
            ),
        )
        return observed, contained


@dataclass(frozen=True)
class _SharedFrames:
    """The pairs (i < j) of sets that some mask contains together."""

    pairs: Int[np.ndarray, "k 2"]
    observers: Int[np.ndarray, " k"]  # frames that observe both
    supporters: Int[np.ndarray, " k"]  # frames of which one mask contains both


def _shared_frames(observed: csr_matrix, contained: csr_matrix) -> _SharedFrames:
    together = (contained @ contained.T).tocoo()
    upper = together.row < together.col
    first, second = together.row[upper].astype(np.int64), together.col[upper].astype(np.int64)
    flags = observed.toarray() > 0
    observers = np.zeros(len(first), dtype=np.int64)
    for start in range(0, len(first), _PAIRS):
        part = slice(start, start + _PAIRS)
        observers[part] = (flags[first[part]] & flags[second[part]]).sum(axis=1)
    return _SharedFrames(np.stack((first, second), axis=1), observers, together.data[upper].astype(np.int64))


def _where(matrix: csr_matrix, condition: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> csr_matrix:
    """1 at the entries (row, column, value) that fulfil a condition."""
    entries = matrix.tocoo()
    chosen = condition(entries.row, entries.col, entries.data)
    ones = np.ones(int(chosen.sum()))
    return csr_matrix((ones, (entries.row[chosen], entries.col[chosen])), shape=matrix.shape)


def _mask_sets(material: Material, cloud: Float[Tensor, "p 3"]) -> MaskSets:
    """Which proxy points each mask of each frame with a depth image shows."""
    rows, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    frame_of, given = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    total = 0
    for number, view in enumerate(material.views()):
        point, label = _shown(view, cloud)
        ids, mask = np.unique(label, return_inverse=True)
        rows.append(mask + total)
        columns.append(point)
        frame_of.append(np.full(len(ids), number))
        given.append(ids)
        total += len(ids)
    row, column = np.concatenate(rows), np.concatenate(columns)
    ids = np.concatenate(given)
    return MaskSets(
        holds=csr_matrix((np.ones(len(row)), (row, column)), shape=(total, len(cloud))),
        frame=np.concatenate(frame_of),
        given=ids,
        class_id=np.array([material.classes.of_id.get(int(i), 0) for i in ids], dtype=np.int64),
    )


def _shown(view: LabelledView, cloud: Float[Tensor, "p 3"]) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """The points that a frame shows under masks (the depth image agrees with them), and the mask id of each."""
    depth, camera = view.depth, view.masked.camera
    if depth is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    points = cloud.to(camera.T_world_camera)
    inside = torch.nonzero(is_in_view(points, camera))[:, 0]
    pixels, z = project(points[inside], camera)
    column = pixels[:, 0].long().clamp(0, camera.width - 1)
    row = pixels[:, 1].long().clamp(0, camera.height - 1)
    label = view.masked.instances[row, column]
    near = (depth[row, column] - z).abs() < _NEAR + _NEAR_SHARE * z
    shown = near & (depth[row, column] > 0) & (label > 0)
    return inside[shown].numpy(), label[shown].numpy().astype(np.int64)


def _relabelled(view: MaskedView, number: int, label_of: Mapping[tuple[int, int], int]) -> MaskedView:
    """A view whose masks have the number of their cluster for an id."""
    ids, inverse = np.unique(view.instances.numpy(), return_inverse=True)
    labels = np.array([label_of.get((number, int(i)), 0) for i in ids], dtype=np.int32)
    return replace(view, instances=torch.from_numpy(labels[inverse].reshape(view.instances.shape)))


def _lifted(material: Material, views: Iterable[MaskedView]) -> Labels:
    """The mask id (0 = none) with most of each Gaussian's rendering weight, ids meaning the same in every view."""
    named = [replace(view, semantics=None) for view in views]
    highest = max((int(view.instances.max()) for view in named), default=0)
    identity = MaskClasses({i: i for i in range(highest + 1)}, frozenset())  # so that a mask's class is its id
    evidence = gather_evidence(named, material.decode, material.rasterizer, identity, material.options.relift)
    votes = csr_matrix(evidence.weights.T @ cluster_columns(evidence.class_id, highest + 1))
    return np.asarray(votes.argmax(axis=1)).ravel()
