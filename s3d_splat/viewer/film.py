"""A camera's path through remembered views, as a video or as pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, RotationSpline

from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import replacing
from s3d_splat.io.images import write_image
from s3d_splat.viewer.cameras import BrowserCamera

Image = UInt8[np.ndarray, "h w 3"]


def path_through(views: Sequence[BrowserCamera], frames: int) -> list[BrowserCamera]:
    """`frames` cameras on a smooth path through the views, which are reached at equal times; the first one's aspect.

    Raises:
        S3DError: fewer than two views, or fewer than two frames.
    """
    if len(views) < 2 or frames < 2:
        raise S3DError(
            f"{len(views)} views and {frames} frames make no film",
            why="a path goes from one view to another",
            fix="add two views at least, and give the film some seconds",
        )
    times = np.arange(len(views), dtype=float)
    at = np.linspace(0, len(views) - 1, frames)
    positions = CubicSpline(times, [view.position for view in views], bc_type="natural")(at)
    turns = Rotation.from_quat([(*view.wxyz[1:], view.wxyz[0]) for view in views])
    xyzw = RotationSpline(times, turns)(at).as_quat()
    fovs = np.interp(at, times, [view.fov for view in views])
    return [
        BrowserCamera((float(q[3]), float(q[0]), float(q[1]), float(q[2])), _triple(p), float(fov), views[0].aspect)
        for q, p, fov in zip(xyzw, positions, fovs, strict=True)
    ]


def free_name(folder: Path) -> Path:
    """A file name without suffix in a folder that no film has yet: film-1, film-2, ..."""
    taken = {path.stem for path in folder.glob("film-*")}
    return folder / next(f"film-{number}" for number in count(1) if f"film-{number}" not in taken)


def write_film(path: Path, images: Iterable[Image], rate: int, told: Callable[[int], None]) -> Path:
    """Write images as `path`.mp4, or as PNGs in the folder `path` where PyAV is not installed; returns what was written.

    `told` is called with the number of images so far.
    """
    try:
        import av
    except ImportError:
        for number, image in enumerate(images, start=1):
            write_image(path / f"{number:05d}.png", image)
            told(number)
        return path
    video = path.with_suffix(".mp4")
    with replacing(video, durable=False) as temporary, av.open(str(temporary), "w") as container:
        stream = None
        for number, image in enumerate(images, start=1):
            even = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]  # the format halves its colours
            if stream is None:
                stream = container.add_stream("h264", rate=rate)
                stream.height, stream.width, stream.pix_fmt = *even.shape[:2], "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")))
            told(number)
        if stream is not None:
            container.mux(stream.encode())
    return video


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z
