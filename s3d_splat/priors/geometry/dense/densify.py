"""Depth images for a posed cluster that has none: estimated view by view, then checked against those of the neighbours.

The views are streamed: some grey images and depth images are held at once, whatever the number of views.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch

from s3d_splat.console import Advance
from s3d_splat.priors.geometry.base import Load
from s3d_splat.priors.geometry.dense.consistency import agreeing
from s3d_splat.priors.geometry.dense.depth_files import RawDepth, Write, with_depth
from s3d_splat.priors.geometry.dense.estimate import estimate
from s3d_splat.priors.geometry.dense.neighbours import Sightings, Surroundings, surroundings
from s3d_splat.priors.geometry.dense.sweep import Map, SeenView
from s3d_splat.priors.geometry.options import DenseOptions
from s3d_splat.types import Frame, PosedCluster

Result = TypeVar("Result")

_LOG = logging.getLogger("s3d_splat")
_HELD = 32  # images in memory at once
_FEWEST = 2  # neighbours
_SURE = 4  # views that agree, beyond which more make a depth no surer
_SUPPORT = 25  # pixels: edge of the squares in which something must be alike
_BARE, _RICH = 0.05, 0.15  # mean likeness there: nothing to go by, and enough


def densify(
    cluster: PosedCluster, work: Path, load: Load, write: Write, options: DenseOptions, advance: Advance | None = None
) -> PosedCluster:
    """The cluster with depth and confidence images for the frames that have two neighbours or more.

    A pixel has a depth where other views have found the same surface; the more of them, the higher the confidence. Test
    frames get depth from train frames, and no frame's depth comes from them.

    Args:
        cluster: with points and sparse depths, and without depth images.
        work: a folder of this cluster's own, in which the images stay.
        advance: called with (done, total) while it works.

    Raises:
        S3DError: an image cannot be read, or the file system refuses.
    """
    around = _neighbourhoods(cluster, options)
    steps = _Steps(advance, 2 * len(around))
    views = _Views(cluster.frames, load, options.max_image_size)
    raw = RawDepth(work / ".raw", write)

    def search(number: int) -> None:
        place = around[number]
        found = estimate(views.of(number), [views.of(other) for other in place.neighbours], place.within, options)
        raw.write(number, found.depth, found.likeness.clip(0, 1))

    def judge(number: int) -> Frame:
        others = [other for other in around[number].neighbours if other in around]
        depth, confidence = _judged(number, others, views, raw, options.least_agreeing)
        return with_depth(cluster.frames[number], work, depth, confidence, write)

    try:
        with ThreadPoolExecutor(options.threads) as workers:
            steps.over(workers.map(search, around))
            judged = dict(zip(around, steps.over(workers.map(judge, around)), strict=True))
    finally:
        shutil.rmtree(work / ".raw", ignore_errors=True)
    _report(cluster.frames, around)
    return replace(cluster, frames=tuple(judged.get(number, frame) for number, frame in enumerate(cluster.frames)))


class _Steps:
    """Progress, told from the thread that asks for the results."""

    def __init__(self, advance: Advance | None, total: int) -> None:
        self._advance, self._total, self._done = advance, total, 0

    def over(self, results: Iterable[Result]) -> list[Result]:
        collected = []
        for result in results:
            collected.append(result)
            self._done += 1
            if self._advance is not None:
                self._advance(self._done, self._total)
        return collected


class _Views:
    """Grey images of the frames, of a size to work with; the last ones that were used are held."""

    def __init__(self, frames: Sequence[Frame], load: Load, size: int) -> None:
        self._frames, self._load, self._size = frames, load, size
        self.of: Callable[[int], SeenView] = lru_cache(maxsize=_HELD)(self._read)

    def _read(self, number: int) -> SeenView:
        frame = self._frames[number]
        seen = self._load(replace(frame, instance_path=None))
        grey = cv2.cvtColor(seen.image.numpy(), cv2.COLOR_RGB2GRAY).astype(np.float32)
        mask = None if seen.mask is None else seen.mask.numpy()
        return SeenView(frame.camera, grey, mask).shrunk(self._size)


def _neighbourhoods(cluster: PosedCluster, options: DenseOptions) -> dict[int, Surroundings]:
    """By the numbers of the frames that have enough neighbours."""
    if cluster.points is None or cluster.sparse is None:
        return {}
    seen = Sightings(
        cameras=tuple(frame.camera for frame in cluster.frames),
        points=cluster.points.points.double().numpy(),
        view=np.repeat(np.arange(len(cluster.frames)), [len(sparse.depth) for sparse in cluster.sparse]),
        point=torch.cat([sparse.point for sparse in cluster.sparse]).numpy(),
        depth=torch.cat([sparse.depth for sparse in cluster.sparse]).double().numpy(),
    )
    allowed = np.array([frame.split == "train" for frame in cluster.frames])
    places = enumerate(surroundings(seen, allowed, options.neighbours))
    return {number: place for number, place in places if place is not None and len(place.neighbours) >= _FEWEST}


def _judged(number: int, others: Sequence[int], views: _Views, raw: RawDepth, least: int) -> tuple[Map, Map]:
    """Depth (0 = none) and confidence of a view, by the views that agree and by how much there is to see."""
    view = views.of(number)
    depth, alike = raw.read(number)
    count, mean = agreeing(view.camera, depth, [(views.of(other).camera, raw.read(other)[0]) for other in others])
    support = ((cv2.blur(alike, (_SUPPORT, _SUPPORT)) - _BARE) / (_RICH - _BARE)).clip(0, 1)
    confidence = np.where(count >= least, (count / _SURE).clip(0, 1) * support, 0).astype(np.float32)
    if view.mask is not None:
        confidence[~view.mask] = 0
    return np.where(confidence > 0, mean, 0).astype(np.float32), confidence


def _report(frames: Sequence[Frame], around: dict[int, Surroundings]) -> None:
    without = [frame.file_path for number, frame in enumerate(frames) if number not in around]
    if without:
        _LOG.warning("depth: %d of %d images have too few neighbours: %s", len(without), len(frames), ", ".join(without))
