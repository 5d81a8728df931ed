"""The table of readers, and the choice among them."""

from __future__ import annotations

import logging
from pathlib import Path

from s3d_splat.errors import S3DError
from s3d_splat.io.readers.apc_shelf import ApcShelfReader
from s3d_splat.io.readers.base import Advance, CaptureReader
from s3d_splat.io.readers.colmap import ColmapReader
from s3d_splat.io.readers.nerfstudio import NerfstudioReader
from s3d_splat.io.readers.options import EVERY, FrameChoice
from s3d_splat.io.readers.raw import RawReader
from s3d_splat.io.readers.replica import ReplicaReader
from s3d_splat.io.readers.replica_semantic import ReplicaSemanticReader
from s3d_splat.io.readers.scannet import ScanNetReader
from s3d_splat.io.readers.scannet_sens import SensReader
from s3d_splat.io.readers.scannetpp import ScanNetPpPhoneReader
from s3d_splat.io.readers.scannetpp_dslr import ScanNetPpCameraReader
from s3d_splat.io.readers.seven_scenes import SevenScenesReader
from s3d_splat.io.readers.tum import TumReader
from s3d_splat.io.readers.video import VideoReader
from s3d_splat.types import Capture

_LOG = logging.getLogger("s3d_splat")

# The first that recognises a folder reads it: the most telling names first, the raw capture (any images) last.
READERS: dict[str, CaptureReader] = {
    reader.name: reader
    for reader in (
        ApcShelfReader(),
        SevenScenesReader(),
        TumReader(),
        ScanNetReader(),
        SensReader(),
        ScanNetPpPhoneReader(),
        ScanNetPpCameraReader(),
        ReplicaReader(),
        ReplicaSemanticReader(),
        NerfstudioReader(),
        ColmapReader(),
        VideoReader(),
        RawReader(),
    )
}
_LAYOUTS = {
    "apc_shelf": "cam.info.txt",
    "7scenes": "frame-000000.color.png with .pose.txt (also in seq-01/)",
    "tum": "rgb.txt and groundtruth.txt",
    "scannet": "color/, pose/ and intrinsic/",
    "sens": "a .sens file",
    "scannetpp_iphone": "iphone/ with rgb/ or rgb.mkv, and colmap/ or pose_intrinsic_imu.json",
    "scannetpp_dslr": "dslr/ with resized_undistorted_images/ and nerfstudio/, or resized_images/ and colmap/",
    "replica": "results/ and traj.txt",
    "replica_semantic": "rgb/ and traj_w_c.txt",
    "nerfstudio": "transforms.json",
    "colmap": "cameras, images and points3D (.bin or .txt) in sparse/0, sparse or the folder itself",
    "video": "a video, or a folder with one",
    "raw": "images, in images/ or in the folder itself",
}


def read_capture(
    folder: Path,
    work: Path,
    format: str | None = None,
    advance: Advance | None = None,
    choice: FrameChoice = EVERY,
) -> Capture:
    """Read and check a capture; says in one line of the log what it is.

    Args:
        folder: or a file that is a capture of its own.
        work: a folder for files that must be converted or unpacked first, such as registered depth.
        format: a name of `READERS`; None: the first in that order that recognises the folder.
        advance: called with (steps done, steps in all) of each pass over the files.
        choice: how many of the images are taken.

    Raises:
        S3DError: no such folder or format, nothing recognised, or anything in it missing, damaged or inconsistent.
    """
    if not folder.exists():
        raise S3DError(f"{folder} does not exist", why="a capture is a folder", fix=f"name one with {_looked_for()}")
    reader = _recognised(folder) if format is None else _named(format)
    capture = reader.read(folder, work, advance, choice)
    pieces = f", in {len(capture.clusters)} clusters" if len(capture.clusters) > 1 else ""
    _LOG.info("Capture: %s, %d images%s.", capture.format, len(capture.names), pieces)
    return capture


def _named(format: str) -> CaptureReader:
    if format not in READERS:
        raise S3DError(f"no capture format is called {format!r}", why="nobody knows it", fix=f"one of: {', '.join(READERS)}")
    return READERS[format]


def _recognised(folder: Path) -> CaptureReader:
    for reader in READERS.values():
        if reader.recognises(folder):
            return reader
    raise S3DError(
        f"{folder} is no capture that can be recognised",
        why=f"it was searched for {_looked_for()}",
        fix="put the images into a folder images/ inside it, or name the folder that holds one of these",
    )


def _looked_for() -> str:
    return "; ".join(f"{layout} ({name})" for name, layout in _LAYOUTS.items())
