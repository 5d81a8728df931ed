"""Which images train and which test, decided before anything is learned from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from s3d_splat.errors import S3DError
from s3d_splat.types import CaptureCluster, Split


def with_splits(clusters: Sequence[CaptureCluster], names: Sequence[str], test_every: int) -> tuple[CaptureCluster, ...]:
    """The clusters with a split for every view: the capture's own where it gives one to any image (images without are
    for training), else every `test_every`-th image is for testing, from the middle of the first `test_every` on.

    Args:
        names: of the images in the order of time; those that no cluster holds are not counted.

    Raises:
        S3DError: no image is left to train on, or two clusters disagree about an image.
    """
    given = _given(clusters)
    held = {view.name for cluster in clusters for view in cluster.views}
    order = [name for name in names if name in held]
    if given:
        splits = {name: given.get(name, "train") for name in order}
    else:
        splits = {name: _split_of(index, test_every) for index, name in enumerate(order)}
    if "train" not in splits.values():
        raise S3DError(
            "no image is for training",
            why="the scene is learned from train frames alone",
            fix='mark some images as "train" in the capture, or leave the split of all of them away',
        )
    return tuple(
        replace(cluster, views=tuple(replace(view, split=splits[view.name]) for view in cluster.views))
        for cluster in clusters
    )


def _split_of(index: int, test_every: int) -> Split:
    return "test" if test_every and index % test_every == test_every // 2 else "train"


def _given(clusters: Sequence[CaptureCluster]) -> dict[str, Split]:
    given: dict[str, Split] = {}
    for cluster in clusters:
        for view in cluster.views:
            if view.split is not None and given.setdefault(view.name, view.split) != view.split:
                raise S3DError(
                    f"{view.name} is for training in one cluster and for testing in another",
                    why="a frame that is trained on says nothing as a test frame",
                    fix="make the clusters agree, or leave the split away",
                )
    return given
