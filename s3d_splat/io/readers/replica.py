"""Replica (Straub et al., 2019) as NICE-SLAM renders it: results/frame000000.jpg, results/depth000000.png, traj.txt.

`cam_params.json`, in the folder or the one above it, holds {"camera": {w, h, fx, fy, cx, cy, scale}}: pixels with centres at
whole numbers, `scale` counts of depth for a metre. Poses are camera to world with x to the right, y down.
"""

from __future__ import annotations

from pathlib import Path

from s3d_splat.errors import S3DError
from s3d_splat.io.images import image_size
from s3d_splat.io.intrinsics import StoredCamera, checked_camera, read_number
from s3d_splat.io.labels import read_json
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.checks import check_files, check_images_left
from s3d_splat.io.readers.names import in_order, is_image
from s3d_splat.io.readers.options import EVERY, FrameChoice
from s3d_splat.io.readers.sharpness import choose, file_sharpness
from s3d_splat.io.readers.trajectories import pose_of, read_trajectory
from s3d_splat.types import Capture, CaptureCluster, CaptureView, Lens

_PARAMETERS = "cam_params.json"
_PUBLISHED = {"w": 1200, "h": 680, "fx": 600.0, "fy": 600.0, "cx": 599.5, "cy": 339.5, "scale": 6553.5}


class ReplicaReader:
    """Posed RGB-D images without labels."""

    name = "replica"

    def recognises(self, folder: Path) -> bool:
        """A folder `results`, and `traj.txt`."""
        return (folder / "results").is_dir() and (folder / "traj.txt").is_file()

    def read(self, folder: Path, work: Path, advance: Advance | None = None, choice: FrameChoice = EVERY) -> Capture:
        """Read the images in natural order, from where they are."""
        place = folder / "results"
        names = [path.name for path in place.iterdir()] if place.is_dir() else []
        images = [place / name for name in in_order(names) if name.startswith("frame") and is_image(name)]
        check_images_left(folder, [image.name for image in images])
        images = choose(images, choice, file_sharpness, advance)
        camera, scale = _camera(folder, image_size(images[0], where=images[0].name))
        path = folder / "traj.txt"
        poses = read_trajectory(path)
        views = tuple(
            CaptureView(
                name=image.name,
                image_path=image,
                width=camera.width,
                height=camera.height,
                lens=camera.lens,
                T_cluster_camera=pose_of(image, poses, path),
                depth_path=_depth(image),
                depth_scale=1 / scale,
            )
            for image in images
        )
        clusters = (CaptureCluster(views),)
        check_files(clusters, advance)
        return Capture(root=folder, format=self.name, names=tuple(image.name for image in images), clusters=clusters)


def _depth(image: Path) -> Path | None:
    path = image.with_name(f"depth{image.stem.removeprefix('frame')}.png")
    return path if path.is_file() else None


def _camera(folder: Path, size: tuple[int, int]) -> tuple[StoredCamera, float]:
    """The camera, and the counts of depth for a metre."""
    path = next((place / _PARAMETERS for place in (folder, folder.parent) if (place / _PARAMETERS).is_file()), None)
    meta = {"camera": _PUBLISHED} if path is None else read_json(path, why="it is the camera", fix="download it again")
    row = meta.get("camera") if isinstance(meta, dict) else None
    if not isinstance(row, dict) or (path is None and size != (_PUBLISHED["w"], _PUBLISHED["h"])):
        raise S3DError(
            f"the camera of {folder} is not known",
            why=f"there is no {_PARAMETERS} with a camera in it, and the images are {size[0]}x{size[1]}",
            fix=f'write {_PARAMETERS}: {{"camera": {{"w", "h", "fx", "fy", "cx", "cy", "scale"}}}}',
        )
    where = str(path or folder)
    width, height, fx, fy, cx, cy, scale = (read_number(row, {}, key, where) for key in _PUBLISHED)
    if scale <= 0:
        raise S3DError(f"{where}: scale is {scale}", why="it is counts of depth for a metre", fix="6553.5 is usual")
    lens = Lens(fx, fy, cx + 0.5, cy + 0.5, 0.0, 0.0, 0.0, 0.0)
    return checked_camera(lens, int(width), int(height), where), scale
