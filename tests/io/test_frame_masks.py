"""Masks of pixels that count for nothing: from a writer or another tool, through a lens, to depth and labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s3d_splat.errors import S3DError
from s3d_splat.geometry.lenses import undistort
from s3d_splat.io.images import write_image
from s3d_splat.io.observations import load_depth, load_labels, load_mask, load_observation
from s3d_splat.io.readers.nerfstudio import NerfstudioReader
from s3d_splat.io.readers.raw import RawReader
from s3d_splat.io.run_folder import scene_hash
from s3d_splat.io.scene import load_scene
from s3d_splat.io.scene_writer import FrameLayers, SceneWriter
from tests.io.test_scene_refusals import in_transforms
from tests.scene_fixtures import CLASSES, HEIGHT, INSTANCES, WIDTH, tiny_camera, tiny_observation, write_tiny_scene

LEFT = torch.arange(WIDTH).expand(HEIGHT, WIDTH) >= 10  # the left ten columns are ignored


def mask_image(mask: torch.Tensor = LEFT) -> np.ndarray:
    return np.where(mask.numpy(), 255, 0).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The tiny scene with a mask for frame 2, as another tool would add it."""
    folder = write_tiny_scene(tmp_path / "scene")
    write_image(folder / "masks/person.png", mask_image())
    in_transforms(lambda meta: meta["frames"][2].update(mask_path="masks/person.png"))(folder)
    return folder


def test_depth_and_labels_are_none_under_a_mask(folder: Path):
    first, third = (load_scene(folder).frames[index] for index in (0, 2))
    seen, true = load_observation(third), tiny_observation(tiny_camera(2))
    assert seen.mask is not None
    assert torch.equal(seen.mask, LEFT)
    assert torch.equal(seen.image, true.image)
    for found, expected in ((seen.instances, true.instances), (seen.semantics, true.semantics)):
        assert found is not None
        assert expected is not None
        assert torch.equal(found, expected * LEFT)
    for found, expected in ((load_depth(third), seen.depth), (load_labels(third), seen.instances)):
        assert found is not None
        assert expected is not None
        assert torch.equal(found, expected)
        assert not found[:, :10].any()
        assert found[:, 10:].all()
    assert load_mask(first) is None
    assert load_observation(first).mask is None


def test_a_mask_of_one_bit_is_read(folder: Path):
    Image.fromarray(LEFT.numpy()).save(folder / "masks/person.png")
    assert torch.equal(load_observation(load_scene(folder).frames[2]).mask, LEFT)


def test_a_mask_goes_through_the_lens_as_labels_do(folder: Path):
    in_transforms(lambda meta: meta.update(k1=-0.4))(folder)
    frame = load_scene(folder).frames[2]
    assert frame.lens is not None
    found = load_observation(frame)
    assert found.mask is not None
    assert found.instances is not None
    assert np.array_equal(found.mask.numpy(), undistort(mask_image(), frame.lens, sampling="nearest") > 0)
    assert not torch.equal(found.mask, LEFT)
    assert torch.equal(found.instances > 0, found.mask)  # the tiny scene is labelled everywhere else


def test_a_mask_is_part_of_what_a_run_was_trained_on(folder: Path):
    before = scene_hash(folder)
    write_image(folder / "masks/person.png", np.full((HEIGHT, WIDTH), 255, np.uint8))
    assert scene_hash(folder) != before


def test_masks_are_written_and_come_back(tmp_path: Path):
    with SceneWriter(tmp_path / "scene") as writer:
        for index in range(4):
            camera, seen = tiny_camera(index), tiny_observation(tiny_camera(index))
            name = "shared" if index < 3 else None
            layers = FrameLayers(seen.depth, seen.instances, mask=LEFT, mask_name=name)
            writer.add_image(f"{index:04d}.png", camera, "train", seen.image, layers)
        proxy = load_scene(write_tiny_scene(tmp_path / "other")).proxy
        writer.finish(proxy=proxy, classes=CLASSES, instances=INSTANCES)
    rows = json.loads((tmp_path / "scene/transforms.json").read_text())["frames"]
    assert [row["mask_path"] for row in rows] == ["masks/shared.png"] * 3 + ["masks/0003.png"]
    assert np.asarray(Image.open(tmp_path / "scene/masks/shared.png")).tolist() == mask_image().tolist()
    for frame in load_scene(tmp_path / "scene").frames:
        assert torch.equal(load_mask(frame), LEFT)


def test_a_capture_keeps_its_masks(folder: Path, tmp_path: Path):
    (cluster,) = NerfstudioReader().read(folder, tmp_path / "work").clusters
    assert [view.mask_path for view in cluster.views] == [None, None, folder / "masks/person.png", None, None, None]


def test_a_raw_capture_names_masks(tmp_path: Path):
    for name in ("a", "b"):
        write_image(tmp_path / f"images/{name}.png", np.full((HEIGHT, WIDTH, 3), 99, np.uint8))
    write_image(tmp_path / "masks/sky.png", mask_image())
    rows = [{"file_path": "images/b.png", "mask_path": "masks/sky.png"}]
    (tmp_path / "capture.json").write_text(json.dumps({"frames": rows}))
    (cluster,) = RawReader().read(tmp_path, tmp_path / "work").clusters
    assert [view.mask_path for view in cluster.views] == [None, tmp_path / "masks/sky.png"]


MISTAKES = {
    "size": (lambda path: write_image(path, mask_image()[:12]), r"person.png is 32x12, but the camera is 32x24"),
    "colours": (lambda path: write_image(path, mask_image()[..., None].repeat(3, 2)), r"person.png has pixels of type RGB"),
    "nothing left": (lambda path: write_image(path, mask_image() * 0), r"person.png is 0 everywhere"),
    "missing": (lambda path: path.unlink(), r"person.png does not exist"),
    "damaged": (lambda path: path.write_bytes(path.read_bytes()[:60]), r"person.png cannot be read"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name: str, folder: Path, tmp_path: Path):
    spoil, message = MISTAKES[name]
    spoil(folder / "masks/person.png")
    with pytest.raises(S3DError, match=r"frame 2 \(images/0002.png\).*" + message):
        load_scene(folder)
    with pytest.raises(S3DError, match=r"0002.png: .*" + message):
        NerfstudioReader().read(folder, tmp_path / "work")
