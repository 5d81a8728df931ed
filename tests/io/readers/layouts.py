"""The tiny world of `tests.scene_fixtures` in every layout that a reader knows."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from s3d_splat.geometry.cameras import opengl_from_opencv
from s3d_splat.io.images import write_image
from s3d_splat.io.results import write_depth_png, write_id_png
from s3d_splat.types import Camera
from tests.io.readers.videos import write_video
from tests.scene_fixtures import FRAMES, HEIGHT, WIDTH, tiny_camera, tiny_observation, write_tiny_scene

INTRINSICS = {"fl_x": 28.0, "fl_y": 28.0, "cx": WIDTH / 2, "cy": HEIGHT / 2}
BASELINE = 0.05  # metres by which the colour camera of the RGB-D sensor sits to the right of the depth camera
ROWS = [{"id": k, "class_id": 1, "class_name": "thing", "is_thing": True} for k in (1, 2, 3)]


@dataclass(frozen=True)
class Layout:
    """How one layout is written, and what a reader then knows."""

    format: str
    write: Callable[[Path], None]
    image: str | None = None  # file of the first image, below the folder; None: it lies in another file
    depth: str | None = None  # its depth
    mask: str | None = None
    packed: str | None = None  # the file that images and depth lie in
    has_depth: bool = False  # though no file of its own shows it
    has_cameras: bool = True
    focal: float = 28.0


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def true_pose(index: int) -> np.ndarray:
    """Camera to world of image `index`, OpenCV axes, float64."""
    return tiny_camera(index).T_world_camera.double().numpy()


def opengl_rows(index: int) -> list[list[float]]:
    return opengl_from_opencv(torch.from_numpy(true_pose(index))).tolist()


def write_pixels(index: int, *, image: Path, depth: Path | None = None, mask: Path | None = None) -> None:
    pixels = tiny_observation(tiny_camera(index))
    write_image(image, pixels.image.numpy())
    if depth is not None and pixels.depth is not None:
        write_depth_png(depth, pixels.depth)
    if mask is not None and pixels.instances is not None:
        write_id_png(mask, pixels.instances)


def write_nerfstudio(folder: Path) -> None:
    write_tiny_scene(folder, truth=True)


def write_raw(folder: Path) -> None:
    """Images, intrinsics, depth and poses in `capture.json`."""
    frames = []
    for index in range(FRAMES):
        write_pixels(index, image=folder / f"images/{index}.png", depth=folder / f"depth/{index}.png")
        names = {"file_path": f"images/{index}.png", "depth_file_path": f"depth/{index}.png"}
        frames.append(names | {"transform_matrix": opengl_rows(index)})
    write_json(folder / "capture.json", {"intrinsics": INTRINSICS, "frames": frames})


def write_clusters(folder: Path) -> None:
    """Two clusters that share two images."""
    for index in range(FRAMES):
        write_pixels(index, image=folder / f"images/{index}.png")
    for number, members in enumerate((range(4), range(2, FRAMES))):
        cluster = folder / f"clusters/{number}"
        frames = [{"file_path": f"images/{index}.png", "transform_matrix": opengl_rows(index)} for index in members]
        write_json(cluster / "transforms.json", INTRINSICS | {"depth_scale": 0.001, "frames": frames})
        write_json(cluster / "instances.json", ROWS)
        for index in members:
            pixels = tiny_observation(tiny_camera(index))
            assert pixels.depth is not None
            assert pixels.instances is not None
            write_depth_png(cluster / f"depth/{index}.png", pixels.depth)
            write_id_png(cluster / f"instances/{index}.png", pixels.instances)
            write_image(cluster / f"confidence/{index}.png", np.full((HEIGHT, WIDTH), 255, dtype=np.uint8))


def write_colmap_text(folder: Path) -> None:
    """A text model with one camera of 28 px and three points."""
    model = folder / "sparse/0"
    model.mkdir(parents=True)
    (model / "cameras.txt").write_text(f"# cameras\n1 PINHOLE {WIDTH} {HEIGHT} 28 28 {WIDTH / 2} {HEIGHT / 2}\n")
    lines = ["# images"]
    for index in range(FRAMES):
        write_pixels(index, image=folder / f"images/{index}.png")
        x = -true_pose(index)[0, 3]  # of the world's origin in the camera
        lines += [f"{index + 1} 1 0 0 0 {x} 0 0 1 {index}.png", ""]
    (model / "images.txt").write_text("\n".join(lines) + "\n")
    (model / "points3D.txt").write_text("1 0 0 3 255 0 0 0.5\n2 1 0 3 0 255 0 0.5\n3 0 1 3 0 0 255 0.5\n")


def write_colmap_binary(folder: Path) -> None:
    """The same model as three binary files, in `sparse`."""
    import pycolmap

    write_colmap_text(folder)
    model = pycolmap.Reconstruction(str(folder / "sparse/0"))
    for path in (folder / "sparse/0").iterdir():
        path.unlink()
    (folder / "sparse/0").rmdir()
    model.write_binary(str(folder / "sparse"))


def write_seven_scenes(folder: Path, place: str = "") -> None:
    """A sensor whose colour camera sits `BASELINE` to the right of its depth camera; poses and depth are the latter's."""
    shift = np.eye(4)
    shift[0, 3] = -BASELINE
    for index in range(FRAMES):
        stem = folder / place / f"frame-{index:06d}"
        write_image(stem.with_name(f"{stem.name}.color.png"), tiny_observation(tiny_camera(index)).image.numpy())
        T_world_depth = true_pose(index) @ shift
        camera = tiny_camera(index)
        beside = type(camera)(torch.from_numpy(T_world_depth).float(), 28.0, 28.0, 16.0, 12.0, WIDTH, HEIGHT)
        depth = tiny_observation(beside).depth
        assert depth is not None
        write_depth_png(stem.with_name(f"{stem.name}.depth.png"), depth)
        np.savetxt(stem.with_name(f"{stem.name}.pose.txt"), T_world_depth)
    cameras = {"colour": INTRINSICS, "depth": INTRINSICS, "T_colour_depth": shift.tolist()}
    write_json(folder / "calibration.json", cameras)


def write_tum(folder: Path) -> None:
    """Images every 33 ms, depth 5 ms later, poses every 10 ms; depth in 5000 counts a metre."""
    colours, depths, poses = ["# time file"], ["# time file"], ["# time tx ty tz qx qy qz qw"]
    for index in range(FRAMES):
        time = 1305031102.0 + 0.033 * index
        pixels = tiny_observation(tiny_camera(index))
        assert pixels.depth is not None
        write_image(folder / f"rgb/{time:.6f}.png", pixels.image.numpy())
        write_image(folder / f"depth/{time + 0.005:.6f}.png", (pixels.depth * 5000).round().numpy().astype(np.uint16))
        colours.append(f"{time:.6f} rgb/{time:.6f}.png")
        depths.append(f"{time + 0.005:.6f} depth/{time + 0.005:.6f}.png")
        poses.append(f"{time + 0.002:.6f} {true_pose(index)[0, 3]} 0 0 0 0 0 1")
    for name, lines in (("rgb", colours), ("depth", depths), ("groundtruth", poses)):
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    write_json(folder / "calibration.json", {"colour": INTRINSICS, "depth_scale": 0.0002})


def write_apc_shelf(folder: Path) -> None:
    lines = ['# Objects: ["box","cup","a_wall"]', "", "# Color camera intrinsic matrix"]
    lines += [f"28 0 {WIDTH / 2}", f"0 28 {HEIGHT / 2}", "0 0 1", ""]
    for index in range(FRAMES):
        stem = f"frame-{index:06d}"
        pixels = tiny_observation(tiny_camera(index))
        assert pixels.depth is not None
        assert pixels.instances is not None
        write_image(folder / f"{stem}.color.png", pixels.image.numpy())
        counts = (pixels.depth * 10000).round().numpy().astype(np.uint16)
        write_image(folder / f"{stem}.depth.png", (counts << np.uint16(3)) | (counts >> np.uint16(13)))
        write_image(folder / f"segm/{stem}.segm.png", (pixels.instances * 6).numpy().astype(np.uint8))
        lines.append(f"# Camera-to-world extrinsic matrix (camera pose) for {stem}")
        lines += [" ".join(str(value) for value in row) for row in true_pose(index).tolist()]
    (folder / "cam.info.txt").write_text("\n".join(lines) + "\n")


def depth_beside(index: int, size: tuple[int, int], scale: float) -> np.ndarray:
    """Counts of the depth that a camera of another size (focal length 28 px at 32 px width) sees from the same place."""
    width, height = size
    focal = 28.0 * width / WIDTH
    pose = torch.from_numpy(true_pose(index)).float()
    depth = tiny_observation(Camera(pose, focal, focal, width / 2, height / 2, width, height)).depth
    assert depth is not None
    return (depth.double() / scale).round().numpy().astype(np.uint16)


def centred_at_whole_numbers(width: int, height: int) -> np.ndarray:
    """The intrinsics of the tiny camera as ScanNet writes them: 4x4, the centre of the first pixel at 0."""
    focal = 28.0 * width / WIDTH
    return np.array([[focal, 0, width / 2 - 0.5, 0], [0, focal, height / 2 - 0.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


DEPTH_SIZE = (16, 12)  # of sensors whose depth is coarser than colour


def write_scannet(folder: Path) -> None:
    """Depth of half the size; ids, raw classes, and names of the objects."""
    for index in range(FRAMES):
        pixels = tiny_observation(tiny_camera(index))
        assert pixels.instances is not None
        assert pixels.semantics is not None
        write_image(folder / f"color/{index}.png", pixels.image.numpy())
        write_image(folder / f"depth/{index}.png", depth_beside(index, DEPTH_SIZE, 0.001))
        write_image(folder / f"instance-filt/{index}.png", pixels.instances.numpy().astype(np.uint8))
        write_id_png(folder / f"label-filt/{index}.png", pixels.semantics)
        (folder / "pose").mkdir(exist_ok=True)
        np.savetxt(folder / f"pose/{index}.txt", true_pose(index))
    (folder / "intrinsic").mkdir()
    np.savetxt(folder / "intrinsic/intrinsic_color.txt", centred_at_whole_numbers(WIDTH, HEIGHT))
    np.savetxt(folder / "intrinsic/intrinsic_depth.txt", centred_at_whole_numbers(*DEPTH_SIZE))
    np.savetxt(folder / "intrinsic/extrinsic_depth.txt", np.eye(4))
    groups = [{"objectId": k, "segments": [], "label": label} for k, label in enumerate(("wall", "chair", "chair"))]
    write_json(folder / "scene0000_00.aggregation.json", {"segGroups": groups})


def sens_header(frames: int, **changed: object) -> bytes:
    """The header of a `.sens` file of the tiny camera, JPEG and zlib, with some fields changed."""
    fields: dict[str, object] = {
        "version": 4, "name": b"StructureSensor (calibrated)", "name_length": None, "colour": 2, "depth": 1,
        "size": (WIDTH, HEIGHT), "depth_size": DEPTH_SIZE, "shift": 1000.0, "frames": frames,
        "colour_matrix": centred_at_whole_numbers(WIDTH, HEIGHT), "depth_matrix": centred_at_whole_numbers(*DEPTH_SIZE),
    }  # fmt: skip
    fields |= changed
    name = fields["name"]
    assert isinstance(name, bytes)
    length = len(name) if fields["name_length"] is None else fields["name_length"]
    head = struct.pack("<IQ", fields["version"], length) + name
    for matrix in (fields["colour_matrix"], np.eye(4), fields["depth_matrix"], np.eye(4)):
        assert isinstance(matrix, np.ndarray)
        head += matrix.astype("<f4").tobytes()
    sizes = (*fields["size"], *fields["depth_size"])  # type: ignore[misc]
    return head + struct.pack("<ii4IfQ", fields["colour"], fields["depth"], *sizes, fields["shift"], fields["frames"])


def sens_frame(pose: np.ndarray, colour: bytes, depth: bytes, *, sizes: tuple[int, int] | None = None) -> bytes:
    lengths = sizes or (len(colour), len(depth))
    head = pose.astype("<f4").tobytes() + struct.pack("<4Q", 1000, 2000, *lengths)
    return head + colour + depth


def jpeg_of(index: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(tiny_observation(tiny_camera(index)).image.numpy()).save(stream, format="jpeg", quality=95)
    return stream.getvalue()


def tiny_sens_frame(index: int) -> bytes:
    depth = zlib.compress(depth_beside(index, DEPTH_SIZE, 0.001).astype("<u2").tobytes())
    return sens_frame(true_pose(index), jpeg_of(index), depth)


def write_sens(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    body = b"".join(tiny_sens_frame(index) for index in range(FRAMES))
    (folder / "scene0000_00.sens").write_bytes(sens_header(FRAMES) + body + struct.pack("<Q", 0))


def write_one_video(folder: Path) -> None:
    """Two images a second, which are all taken."""
    write_video(folder / "walk.mp4", [tiny_observation(tiny_camera(index)).image.numpy() for index in range(FRAMES)], rate=2)


def write_photos(folder: Path) -> None:
    """Images in a folder, and nothing else."""
    for index in range(FRAMES):
        write_pixels(index, image=folder / f"{index}.png")


def write_phone_depth(place: Path, index: int) -> None:
    write_image(place / f"depth/frame_{index:06d}.png", depth_beside(index, DEPTH_SIZE, 0.001))


def write_phone_poses(place: Path, numbers: Iterable[int] = range(FRAMES)) -> None:
    matrix = centred_at_whole_numbers(WIDTH, HEIGHT)[:3, :3].tolist()
    rows = {
        f"frame_{number:06d}": {"timestamp": number / 60, "aligned_pose": true_pose(index).tolist(), "intrinsic": matrix}
        for index, number in enumerate(numbers)
    }
    write_json(place / "pose_intrinsic_imu.json", rows)


def write_scannetpp_iphone(folder: Path) -> None:
    """As the data set's tools extract it, with the phone's own poses."""
    for index in range(FRAMES):
        write_pixels(index, image=folder / f"iphone/rgb/frame_{index:06d}.jpg")
        write_phone_depth(folder / "iphone", index)
    write_phone_poses(folder / "iphone")


def write_scannetpp_video(folder: Path) -> None:
    """As it is downloaded: a video, of which every second frame is in a model of COLMAP."""
    pictures = [tiny_observation(tiny_camera(index // 2)).image.numpy() for index in range(2 * FRAMES)]
    write_video(folder / "iphone/rgb.mkv", pictures, rate=60, codec="ffv1")
    write_model(folder / "iphone/colmap", [f"frame_{2 * index:06d}.jpg" for index in range(FRAMES)])


def write_model(place: Path, names: Sequence[str], camera: str = f"PINHOLE {WIDTH} {HEIGHT} 28 28 16 12") -> None:
    """A text model of COLMAP of the tiny cameras."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "cameras.txt").write_text(f"1 {camera}\n")
    lines = [f"{index + 1} 1 0 0 0 {-true_pose(index)[0, 3]} 0 0 1 {name}\n" for index, name in enumerate(names)]
    (place / "images.txt").write_text("\n".join(lines) + "\n")
    (place / "points3D.txt").write_text("1 0 0 3 255 0 0 0.5\n")


def write_scannetpp_dslr(folder: Path) -> None:
    """Undistorted images, whose JSON has a world with other axes than the model of COLMAP; frame 4 is for test."""
    place = folder / "dslr"
    names = [f"DSC{index:05d}.JPG" for index in range(FRAMES)]
    turned = np.array([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]])
    rows = [
        {"file_path": name, "transform_matrix": (turned @ np.array(opengl_rows(index))).tolist(), "is_bad": False}
        for index, name in enumerate(names)
    ]
    for index, name in enumerate(names):
        write_pixels(index, image=place / "resized_undistorted_images" / name)
    size = {"w": WIDTH, "h": HEIGHT, "camera_model": "PINHOLE", "k1": 0.0, "k2": 0.0, "k3": 0.0, "k4": 0.0}
    meta = INTRINSICS | size | {"frames": rows[:4] + rows[5:], "test_frames": rows[4:5]}
    write_json(place / "nerfstudio/transforms_undistorted.json", meta)
    write_model(place / "colmap", names, f"OPENCV_FISHEYE {WIDTH} {HEIGHT} 28 28 16 12 0.1 0 0 0")


def write_replica(folder: Path) -> None:
    """Depth in 6553.5 counts a metre; the camera lies in the folder above."""
    poses = []
    for index in range(FRAMES):
        pixels = tiny_observation(tiny_camera(index))
        assert pixels.depth is not None
        write_image(folder / f"results/frame{index:06d}.jpg", pixels.image.numpy())
        counts = (pixels.depth.double() * 6553.5).round().numpy().astype(np.uint16)
        write_image(folder / f"results/depth{index:06d}.png", counts)
        poses.append(true_pose(index).reshape(-1))
    np.savetxt(folder / "traj.txt", np.stack(poses))
    camera = {
        "w": WIDTH,
        "h": HEIGHT,
        "fx": 28.0,
        "fy": 28.0,
        "cx": WIDTH / 2 - 0.5,
        "cy": HEIGHT / 2 - 0.5,
        "scale": 6553.5,
    }
    write_json(folder.parent / "cam_params.json", {"camera": camera})


def write_replica_semantic(folder: Path) -> None:
    """A camera that sees 90 degrees; ids, classes, and the names of these."""
    poses = []
    for index in range(FRAMES):
        pose = torch.from_numpy(true_pose(index)).float()
        camera = Camera(pose, WIDTH / 2, WIDTH / 2, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)
        pixels = tiny_observation(camera)
        assert pixels.depth is not None
        assert pixels.instances is not None
        assert pixels.semantics is not None
        write_image(folder / f"rgb/rgb_{index}.png", pixels.image.numpy())
        write_depth_png(folder / f"depth/depth_{index}.png", pixels.depth)
        write_id_png(folder / f"semantic_instance/semantic_instance_{index}.png", pixels.instances)
        classes = pixels.semantics.numpy().astype(np.uint8)
        write_image(folder / f"semantic_class/semantic_class_{index}.png", classes)
        poses.append(true_pose(index).reshape(-1))
    np.savetxt(folder / "traj_w_c.txt", np.stack(poses))
    classes_of = [{"id": 1, "name": "wall"}, {"id": 5, "name": "chair"}]
    objects = [{"id": 1, "class_id": 1}, {"id": 2, "class_id": 5}, {"id": 3, "class_id": -1}]
    write_json(folder / "info_semantic.json", {"classes": classes_of, "objects": objects})


LAYOUTS = {
    "nerfstudio": Layout("nerfstudio", write_nerfstudio, "images/0000.png", "depth/0000.png", "instances/0000.png"),
    "raw": Layout("raw", write_raw, "images/0.png", "depth/0.png"),
    "clusters": Layout("raw", write_clusters, "images/0.png", "clusters/0/depth/0.png", "clusters/0/instances/0.png"),
    "colmap text": Layout("colmap", write_colmap_text, "images/0.png"),
    "colmap binary": Layout("colmap", write_colmap_binary, "images/0.png"),
    "7scenes": Layout("7scenes", write_seven_scenes, "frame-000000.color.png", "frame-000000.depth.png"),
    "tum": Layout("tum", write_tum, "rgb/1305031102.000000.png", "depth/1305031102.005000.png"),
    "scannet": Layout("scannet", write_scannet, "color/0.png", "depth/0.png", "instance-filt/0.png"),
    "sens": Layout("sens", write_sens, packed="scene0000_00.sens", has_depth=True),
    "scannetpp_iphone": Layout(
        "scannetpp_iphone", write_scannetpp_iphone, "iphone/rgb/frame_000000.jpg", "iphone/depth/frame_000000.png"
    ),
    "scannetpp_iphone video": Layout("scannetpp_iphone", write_scannetpp_video),
    "scannetpp_dslr": Layout("scannetpp_dslr", write_scannetpp_dslr, "dslr/resized_undistorted_images/DSC00000.JPG"),
    "replica": Layout("replica", write_replica, "results/frame000000.jpg", "results/depth000000.png"),
    "replica_semantic": Layout(
        "replica_semantic",
        write_replica_semantic,
        "rgb/rgb_0.png",
        "depth/depth_0.png",
        "semantic_instance/semantic_instance_0.png",
        focal=16.0,
    ),
    "video": Layout("video", write_one_video, has_cameras=False),
    "photos": Layout("raw", write_photos, "0.png", has_cameras=False),
    "apc_shelf": Layout(
        "apc_shelf", write_apc_shelf, "frame-000000.color.png", "frame-000000.depth.png", "segm/frame-000000.segm.png"
    ),
}
