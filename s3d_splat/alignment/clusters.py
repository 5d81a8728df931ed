"""A capture in one piece, cut into overlapping clusters for priors that work on a few images at a time.

Source of the order by similarity, of interleaving and of the default sizes: MERG3R (2025), section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, UInt8

from s3d_splat.alignment.options import ClusterOptions
from s3d_splat.errors import S3DError
from s3d_splat.io.images import read_colours
from s3d_splat.types import Capture, CaptureCluster, CaptureView

LoadImage = Callable[[CaptureView], UInt8[np.ndarray, "h w 3"]]

_WIDTH, _HEIGHT = 16, 12  # of the thumbnails that are compared


def read_view(view: CaptureView) -> UInt8[np.ndarray, "h w 3"]:
    """The stored image of a view. Raises S3DError if it cannot be read."""
    return read_colours(view.image_path, where=view.name)


def cut(capture: Capture, options: ClusterOptions, load_image: LoadImage = read_view) -> tuple[CaptureCluster, ...]:
    """The clusters of a capture; one that came in several pieces stays as it is.

    Every image that is kept is in some cluster; views within a cluster are in the order of time. Images are read, one after
    the other, only for the order by similarity.

    Raises:
        S3DError: a size, an overlap, an interleaving or a step that cannot be; an image that cannot be read.
    """
    _check(options)
    if len(capture.clusters) != 1:
        return capture.clusters
    whole = capture.clusters[0]
    views = whole.views[:: options.keep_every]
    order = list(range(len(views)))
    if options.order == "similarity" and len(views) > options.size:
        order = path_through(np.stack([_thumbnail(load_image(view)) for view in views]))
    return tuple(replace(whole, views=tuple(views[k] for k in sorted(part))) for part in _parts(order, options))


def path_through(vectors: Float[np.ndarray, "n d"]) -> list[int]:
    """An order of the vectors, from the first, in which neighbours are near: at most twice the length of the best one.

    The vectors' minimum spanning tree (Prim) is walked from the root, the deepest branch of every node last. Memory grows
    with n alone, time with its square.
    """
    count = len(vectors)
    parent = np.zeros(count, np.int64)
    nearest = np.full(count, np.inf)
    outside = np.ones(count, bool)
    added, newest = [0], 0
    outside[0] = False
    while len(added) < count:
        distance = np.square(vectors - vectors[newest]).sum(1)
        closer = outside & (distance < nearest)
        nearest[closer], parent[closer] = distance[closer], newest
        newest = int(np.where(outside, nearest, np.inf).argmin())
        outside[newest] = False
        added.append(newest)
    return _walk(parent, added)


def _walk(parent: np.ndarray, added: Sequence[int]) -> list[int]:
    depth = np.zeros(len(parent), np.int64)
    children: dict[int, list[int]] = {node: [] for node in added}
    for node in reversed(added[1:]):  # a child was added after its parent
        above = int(parent[node])
        children[above].append(node)
        depth[above] = max(depth[above], depth[node] + 1)
    order, stack = [], [added[0]]
    while stack:
        node = stack.pop()
        order.append(node)
        stack += sorted(children[node], key=lambda child: (-depth[child], -child))
    return order


def _parts(order: Sequence[int], options: ClusterOptions) -> list[list[int]]:
    count, size, shared = len(order), options.size, options.overlap
    if count <= size:
        return [list(order)]
    if options.interleave == 1:
        number = 1 + int(np.ceil((count - size) / (size - shared)))
        starts = np.rint(np.linspace(0, count - size, number)).astype(int)
        return [list(order[start : start + size]) for start in starts]
    return _interleaved(order, options)


def _interleaved(order: Sequence[int], options: ClusterOptions) -> list[list[int]]:
    """Blocks are dealt out to clusters in turn; each cluster also takes `overlap` images of the one before it."""
    number = int(np.ceil(len(order) / (options.size - options.overlap) / options.interleave))
    parts: list[list[int]] = []
    before: list[int] = []
    for block in np.array_split(np.array(order), number):
        # Only the end of the last block borders on this one; clusters of one block lie in one place, and share all of it.
        borrowed = before
        for turn in range(options.interleave):
            own = block[turn :: options.interleave].tolist()
            parts.append(borrowed + own)
            places = np.unique(np.rint(np.linspace(0, len(own) - 1, min(options.overlap, len(own)))).astype(int))
            borrowed = [own[place] for place in places]
        before = own[max(0, len(own) - options.overlap) :]
    return parts


def _thumbnail(image: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, " d"]:
    """Colours of a small image, without the brightness of the whole."""
    import cv2

    small = cv2.resize(image, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)
    centred = (small - small.mean()).ravel()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-6), np.float32)


def _check(options: ClusterOptions) -> None:
    sizes = f"clusters of {options.size} images that share {options.overlap}"
    if options.size < 3 or not 0 <= options.overlap < options.size:
        raise S3DError(
            f"{sizes} cannot be cut",
            why="clusters need at least three images, and must share fewer than they hold",
            fix="choose for example --alignment.clusters.size 100 --alignment.clusters.overlap 10",
        )
    if options.interleave < 1 or options.keep_every < 1:
        raise S3DError(
            f"interleave {options.interleave} and keep-every {options.keep_every} must both be at least 1",
            why="1 means windows of neighbours, and every image",
            fix="give whole numbers from 1 upwards",
        )
