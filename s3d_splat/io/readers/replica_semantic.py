"""Replica as Semantic-NeRF (Zhi et al., ICCV 2021) renders it, with labels: rgb/rgb_0.png, depth/depth_0.png,
semantic_class/semantic_class_0.png, semantic_instance/semantic_instance_0.png, traj_w_c.txt.

The camera sees 90 degrees across; depth is in millimetres, 0 in the labels is unlabelled, poses are camera to world with x
to the right, y down. Names come from the data set's own `info_semantic.json`, which is looked for around the folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s3d_splat.errors import S3DError
from s3d_splat.io.images import image_size
from s3d_splat.io.labels import classes_of, read_json
from s3d_splat.io.readers.base import Advance
from s3d_splat.io.readers.checks import check_files, check_images_left, mask_ids, unnamed_objects
from s3d_splat.io.readers.label_images import class_votes, instances_of_classes
from s3d_splat.io.readers.names import in_order, is_image
from s3d_splat.io.readers.options import EVERY, FrameChoice
from s3d_splat.io.readers.sharpness import choose, file_sharpness
from s3d_splat.io.readers.trajectories import frame_number, pose_of, read_trajectory
from s3d_splat.types import Capture, CaptureCluster, CaptureView, InstanceInfo, Lens

_POSES = "traj_w_c.txt"
_INFO = "info_semantic.json"


class ReplicaSemanticReader:
    """Posed RGB-D images with instance masks."""

    name = "replica_semantic"

    def recognises(self, folder: Path) -> bool:
        """A folder `rgb`, and `traj_w_c.txt`."""
        return (folder / "rgb").is_dir() and (folder / _POSES).is_file()

    def read(self, folder: Path, work: Path, advance: Advance | None = None, choice: FrameChoice = EVERY) -> Capture:
        """Read the images in natural order, from where they are."""
        place = folder / "rgb"
        names = [path.name for path in place.iterdir()] if place.is_dir() else []
        images = [place / name for name in in_order(names) if is_image(name)]
        check_images_left(folder, [image.name for image in images])
        images = choose(images, choice, file_sharpness, advance)
        width, height = image_size(images[0], where=images[0].name)
        lens = Lens(width / 2, width / 2, width / 2, height / 2, 0.0, 0.0, 0.0, 0.0)
        path = folder / _POSES
        poses = read_trajectory(path)
        views = tuple(
            CaptureView(
                name=image.name,
                image_path=image,
                width=width,
                height=height,
                lens=lens,
                T_cluster_camera=pose_of(image, poses, path),
                depth_path=_beside(image, "depth"),
                instance_path=_beside(image, "semantic_instance"),
            )
            for image in images
        )
        instances = _instances(folder, views)
        clusters = (CaptureCluster(views, instances),)
        check_files(clusters, advance)
        return Capture(
            root=folder,
            format=self.name,
            names=tuple(image.name for image in images),
            clusters=clusters,
            classes=classes_of(instances, folder),
        )


def _beside(image: Path, kind: str) -> Path | None:
    """The file of another kind of the same frame."""
    path = image.parent.with_name(kind) / f"{kind}_{frame_number(image)}.png"
    return path if path.is_file() else None


def _instances(folder: Path, views: Sequence[CaptureView]) -> tuple[InstanceInfo, ...]:
    """The objects of the masks; their classes are those of the class images, else those of the data set's own table."""
    masks = [view.instance_path for view in views if view.instance_path is not None]
    pairs = [
        (view.instance_path, classes)
        for view in views
        if view.instance_path is not None and (classes := _beside(view.image_path, "semantic_class")) is not None
    ]
    path = _info_path(folder)
    names, class_of = _read_info(path) if path is not None else ({}, {})
    if masks and len(pairs) == len(masks):
        return instances_of_classes(class_votes(pairs), names)
    if path is None:
        return unnamed_objects(masks)
    return instances_of_classes({entry: max(class_of.get(entry, 0), 0) for entry in mask_ids(masks)}, names)


def _info_path(folder: Path) -> Path | None:
    """`info_semantic.json`, where the data sets that share this layout keep it."""
    scene = folder.absolute().parent
    places = (folder, folder / "habitat", scene, scene / "habitat", scene.parent / "habitat")
    candidates = (*places, scene.parent / "semantic_info" / scene.name)
    return next((place / _INFO for place in candidates if (place / _INFO).is_file()), None)


def _read_info(path: Path) -> tuple[dict[int, str], dict[int, int]]:
    """Names of classes, and classes of objects."""
    meta: Any = read_json(path, why="it names the classes", fix="download it again")
    try:
        names = {int(row["id"]): str(row["name"]) for row in meta["classes"]}
        return names, {int(row["id"]): int(row["class_id"]) for row in meta.get("objects", [])}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise S3DError(
            f"{path} is no table of classes of Replica", why=f"its classes and objects: {error!r}", fix="download it again"
        ) from error
