"""How a capture in one piece is cut."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from s3d_splat.alignment.clusters import cut, path_through
from s3d_splat.alignment.options import ClusterOptions
from s3d_splat.errors import S3DError
from s3d_splat.types import Capture, CaptureCluster, CaptureView


def capture(count: int, pieces: int = 1) -> Capture:
    views = tuple(CaptureView(f"{k:04d}.png", Path(f"{k:04d}.png"), 8, 6, None, None) for k in range(count))
    return Capture(Path(), "raw", tuple(view.name for view in views), (CaptureCluster(views),) * pieces)


def numbers(clusters: tuple[CaptureCluster, ...]) -> list[list[int]]:
    return [[int(view.name[:4]) for view in cluster.views] for cluster in clusters]


def grey(view: CaptureView) -> np.ndarray:
    """A bright column that moves with the image's number, to the left first."""
    image = np.zeros((48, 64, 3), np.uint8)
    place = {0: 0, 1: 40, 2: 10, 3: 50, 4: 20, 5: 30}[int(view.name[:4])]
    image[:, place : place + 14] = 200
    return image


def test_windows_share_images() -> None:
    parts = numbers(cut(capture(10), ClusterOptions(size=4, overlap=1)))
    assert parts == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]


def test_windows_are_evenly_spread() -> None:
    """Eleven images need a fourth window of four; all keep their size, and share more."""
    parts = numbers(cut(capture(11), ClusterOptions(size=4, overlap=1)))
    assert [len(part) for part in parts] == [4, 4, 4, 4]
    assert all(set(a) & set(b) for a, b in pairwise(parts))
    assert sorted({k for part in parts for k in part}) == list(range(11))


@pytest.mark.parametrize("count", [1, 5, 100])
def test_what_fits_is_one_cluster(count: int) -> None:
    assert numbers(cut(capture(count), ClusterOptions())) == [list(range(count))]


def test_every_third_image() -> None:
    assert numbers(cut(capture(10), ClusterOptions(size=3, overlap=1, keep_every=3))) == [[0, 3, 6], [3, 6, 9]]


def test_pieces_stay_as_they_are() -> None:
    given = capture(300, pieces=2)
    assert cut(given, ClusterOptions(size=20)) is given.clusters


@pytest.mark.parametrize("interleave", [2, 3])
def test_interleaved_clusters(interleave: int) -> None:
    options = ClusterOptions(size=20, overlap=5, interleave=interleave)
    parts = numbers(cut(capture(200), options))
    assert all(len(part) <= 20 and part == sorted(set(part)) for part in parts)
    assert sorted({k for part in parts for k in part}) == list(range(200))
    assert all(len(set(a) & set(b)) >= 5 for a, b in pairwise(parts))
    assert sorted(set(parts[0])) == list(range(0, parts[0][-1] + 1, interleave))


def test_order_by_likeness() -> None:
    """The images 0 2 4 5 1 3 follow each other; windows of it, each sorted by time."""
    options = ClusterOptions(size=3, overlap=0, order="similarity")
    assert numbers(cut(capture(6), options, grey)) == [[0, 2, 4], [1, 3, 5]]


def test_a_path_along_a_line_is_the_line() -> None:
    places = np.array([0.0, 5, 1, 4, 2, 3])[:, None]
    assert path_through(places) == [0, 2, 4, 5, 3, 1]


def test_a_path_is_at_most_twice_the_tree() -> None:
    points = np.random.default_rng(0).normal(size=(60, 3))
    order = path_through(points)
    assert sorted(order) == list(range(60))
    assert order[0] == 0
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    tree, inside = 0.0, {0}
    while len(inside) < 60:
        length, new = min((distance[a, b], b) for a in inside for b in range(60) if b not in inside)
        tree += float(length)
        inside.add(new)
    assert np.linalg.norm(np.diff(points[order], axis=0), axis=1).sum() <= 2 * tree


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ClusterOptions(size=2), "clusters of 2 images"),
        (ClusterOptions(size=10, overlap=10), "that share 10 cannot be cut"),
        (ClusterOptions(interleave=0), "interleave 0"),
        (ClusterOptions(keep_every=0), "keep-every 0"),
    ],
)
def test_impossible_options(options: ClusterOptions, message: str) -> None:
    with pytest.raises(S3DError, match=message):
        cut(capture(5), options)
