"""The rig in front of the camera: found where it is, and not found where there is none."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from s3d_splat.priors.ego_mask import chosen, enlarged, find_ego_mask, reduced
from s3d_splat.synthetic.generate import write_scene
from s3d_splat.synthetic.options import SynthOptions

HEIGHT, WIDTH = 96, 128


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """A walk through the built-in room."""
    folder = tmp_path_factory.mktemp("room") / "scene"
    write_scene(folder, SynthOptions(frames=12, width=WIDTH, height=HEIGHT))
    return np.stack([np.asarray(Image.open(path)) for path in sorted((folder / "images").iterdir())])


def rig() -> tuple[np.ndarray, np.ndarray]:
    """Where a rig is, and its colours: a gripper in the upper left corner and a bonnet below."""
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    gripper = (row < 40) & (column < 34)
    bonnet = row > 84 + 0.002 * (column - WIDTH / 2) ** 2
    texture = np.random.default_rng(1).integers(20, 120, (HEIGHT, WIDTH, 1)).repeat(3, axis=2)
    return gripper | bonnet, texture.astype(np.uint8)


def with_rig(images: np.ndarray) -> np.ndarray:
    where, colours = rig()
    noise = np.random.default_rng(2).integers(-3, 4, images.shape)
    return np.where(where[..., None], np.clip(colours + noise, 0, 255), images).astype(np.uint8)


def real_images(folder: Path, first: int | None = None) -> np.ndarray:
    pictures = folder / "images" if (folder / "images").is_dir() else folder
    paths = sorted(path for path in pictures.iterdir() if ".depth" not in path.name and path.suffix in (".png", ".jpg"))
    paths = paths[:first]
    return np.stack([reduced(np.asarray(Image.open(paths[place]).convert("RGB"))) for place in chosen(len(paths))])


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


def test_a_rig_is_found_where_it_is(room: np.ndarray):
    found = find_ego_mask(with_rig(room))
    assert found is not None
    assert iou(found, rig()[0]) > 0.9


def test_a_room_alone_has_no_rig(room: np.ndarray):
    assert find_ego_mask(room) is None


@pytest.mark.parametrize("step", [0.25, 0.5, 1.0, 2.0, 4.0])
def test_slow_scenery_is_no_rig(step: float, room: np.ndarray):
    """A wall that drifts by so many pixels from image to image keeps much of its texture in place."""
    wall = np.random.default_rng(3).integers(0, 255, (2 * HEIGHT, 2 * WIDTH, 3)).astype(np.float32)
    wall = cv2.normalize(cv2.GaussianBlur(wall, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    images = [
        cv2.warpAffine(wall, np.array([[1, 0, -step * index], [0, 1, -0.5 * step * index]]), (WIDTH, HEIGHT))
        for index in range(12)
    ]
    assert find_ego_mask(np.stack(images).astype(np.uint8)) is None


@pytest.mark.parametrize("name", ["redkitchen", "fox", "kitchen_scene"])
@pytest.mark.parametrize("first", [None, 8, 12])
def test_real_walks_have_no_rig(name: str, first: int | None, real_data: Path):
    """All of the walk; and its first images alone, where little has moved yet."""
    assert find_ego_mask(real_images(real_data / name, first)) is None


def test_the_gripper_over_the_real_shelf_is_found(real_data: Path):
    found = find_ego_mask(real_images(real_data / "apc_shelf"))
    assert found is not None
    assert 0.12 < found.mean() < 0.2
    assert found[:150, 40:120].all()  # one block of foam
    assert found[:150, 520:620].all()  # the other
    assert found[180:230, :20].all()  # a suction cup
    assert not found[200:460, 60:580].any()  # the shelf


def test_a_camera_that_does_not_move_says_nothing(room: np.ndarray):
    assert find_ego_mask(with_rig(room[:1].repeat(16, axis=0))) is None


def test_few_images_say_nothing(room: np.ndarray):
    assert find_ego_mask(with_rig(room[:7])) is None


def test_what_is_uniform_or_overexposed_is_no_rig(room: np.ndarray):
    images = room.copy()
    images[:, :14] = 255  # a lamp that is always above
    images[:, 80:, :50] = (120, 90, 60)  # a table whose edge is as blurred as it is straight
    ramp = np.linspace(1, 0, 12)[:, None, None]
    images[:, 68:80, :50] = (ramp * images[:, 68:80, :50] + (1 - ramp) * (120, 90, 60)).astype(np.uint8)
    found = find_ego_mask(images)
    assert found is None or not found[:14, 20:].any()


def test_an_edge_that_slides_along_itself_is_no_rig(room: np.ndarray):
    images = room.copy()
    images[:, 80:] = (40, 30, 20)  # a straight shelf that the camera moves along
    assert find_ego_mask(images) is None


def test_what_stands_still_amid_the_image_is_no_rig(room: np.ndarray):
    images = room.copy()
    images[:, 40:60, 50:80] = rig()[1][40:60, 50:80]
    assert find_ego_mask(images) is None


def test_sizes_and_choice():
    assert reduced(np.zeros((960, 1280, 3), np.uint8)).shape == (480, 640, 3)
    assert reduced(np.zeros((48, 64, 3), np.uint8)).shape == (48, 64, 3)
    mask = np.array([[True, False], [False, False]])
    assert enlarged(mask, 4, 6).tolist() == [[True, True, False, False]] * 3 + [[False] * 4] * 3
    assert list(chosen(3)) == [0, 1, 2]
    assert (len(chosen(1000)), chosen(1000)[0], chosen(1000)[-1]) == (32, 0, 999)
