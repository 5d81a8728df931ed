"""What cannot become a scene is said before any long work."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s3d_splat.errors import S3DError
from s3d_splat.prepare.capture_checks import (
    check_capture,
    check_masks,
    check_overlap,
    check_surfaces,
    tell_unused_poses,
)
from s3d_splat.prepare.splits import with_splits
from s3d_splat.types import Capture, CaptureCluster, CaptureView, Split


def view(
    folder: Path, name: str, *, black: bool = False, mask: int | None = None, split: Split | None = None
) -> CaptureView:
    path = folder / name
    if not path.exists():
        pixels = np.full((24, 32, 3), 3 if black else 120, np.uint8)
        pixels[:2, :2] = 250  # a hot pixel or two are no picture
        Image.fromarray(pixels).save(path)
    masks = None
    if mask is not None:
        masks = folder / f"mask-{Path(name).stem}.png"
        Image.fromarray(np.full((24, 32), mask, np.uint16)).save(masks)
    return CaptureView(name, path, 32, 24, None, None, split=split, instance_path=masks)


def capture(folder: Path, *clusters: Sequence[CaptureView]) -> Capture:
    names = dict.fromkeys(entry.name for cluster in clusters for entry in cluster)
    return Capture(folder, "raw", tuple(names), tuple(CaptureCluster(tuple(cluster)) for cluster in clusters))


def test_a_sound_capture_passes_untouched(tmp_path: Path):
    given = capture(
        tmp_path, [view(tmp_path, f"{i}.png") for i in range(4)], [view(tmp_path, f"{i}.png") for i in range(3, 6)]
    )
    assert check_capture(given).capture == given


@pytest.mark.parametrize(("names", "said"), [(["a.png"], "one image only"), ([], "no image")])
def test_one_image_is_no_capture(names: list[str], said: str, tmp_path: Path):
    with pytest.raises(S3DError, match=said):
        check_capture(capture(tmp_path, [view(tmp_path, name) for name in names]))


def test_one_image_in_the_clusters_is_no_capture(tmp_path: Path):
    views = [view(tmp_path, f"{i}.png") for i in range(3)]
    with pytest.raises(S3DError, match="one image only"):
        check_capture(replace(capture(tmp_path, views[:1]), names=("0.png", "1.png", "2.png")))


def test_one_image_that_is_not_black_is_no_capture(tmp_path: Path):
    with pytest.raises(S3DError, match="one image that is not black"):
        check_capture(capture(tmp_path, [view(tmp_path, "0.png"), view(tmp_path, "1.png", black=True)]))


def test_images_in_no_cluster_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    given = replace(capture(tmp_path, [view(tmp_path, f"{i}.png") for i in range(2)]), names=("0.png", "1.png", "2.png"))
    with caplog.at_level(logging.WARNING, "s3d_splat"):
        assert check_capture(given).capture == given
    assert "1 images are in no cluster and are left out: 2.png" in caplog.text


def test_a_few_black_images_are_left_out_of_every_cluster(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    views = [view(tmp_path, f"{i}.png", black=i == 2) for i in range(6)]
    with caplog.at_level(logging.WARNING, "s3d_splat"):
        found = check_capture(capture(tmp_path, views[:4], views[2:]))
    assert found.black == ("2.png",)
    assert "1 black images are left out: 2.png" in caplog.text
    assert found.capture.names == ("0.png", "1.png", "3.png", "4.png", "5.png")
    assert [[entry.name for entry in cluster.views] for cluster in found.capture.clusters] == [
        ["0.png", "1.png", "3.png"],
        ["3.png", "4.png", "5.png"],
    ]


def test_mostly_black_images_are_refused_and_named(tmp_path: Path):
    views = [view(tmp_path, f"{i}.png", black=i > 1) for i in range(9)]
    with pytest.raises(S3DError, match=r"7 of the 9 images of .* are black: 2.png, 3.png, 4.png, 5.png, 6.png and 2 more"):
        check_capture(capture(tmp_path, views))


def test_clusters_that_share_no_image_are_named(tmp_path: Path):
    views = [view(tmp_path, f"{i}.png") for i in range(9)]
    pieces = capture(tmp_path, views[:3], views[2:5], views[5:7], views[6:])
    with pytest.raises(S3DError) as caught:
        check_overlap(pieces.clusters)
    assert caught.value.what.startswith(
        "clusters 2 (5.png to 6.png), 3 (6.png to 8.png): no image in common with the other 2"
    )
    check_overlap(capture(tmp_path, views[5:7], views[:3], views[2:6]).clusters)  # joined over the third


def test_names_that_differ_in_their_suffix_alone_are_refused(tmp_path: Path):
    with pytest.raises(S3DError, match=r"a.png and a.jpg differ in nothing but their suffix"):
        check_capture(capture(tmp_path, [view(tmp_path, "a.png"), view(tmp_path, "a.jpg")]))


def test_masks_that_show_nothing_are_refused_with_the_way_out(tmp_path: Path):
    empty = capture(tmp_path, [view(tmp_path, f"{i}.png", mask=0) for i in range(3)])
    with pytest.raises(S3DError, match=r"the 3 instance masks of .* are all empty") as caught:
        check_masks(empty)
    assert "--masks felzenszwalb" in caught.value.fix
    check_masks(capture(tmp_path, [view(tmp_path, "0.png", mask=0), view(tmp_path, "1.png", mask=4)]))


def test_poses_without_any_surface_are_refused(tmp_path: Path):
    with pytest.raises(S3DError, match="neither depth images nor points") as caught:
        check_surfaces(capture(tmp_path, [view(tmp_path, "0.png")]))
    assert "--geometry colmap" in caught.value.fix


def test_poses_that_are_not_used_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    bare = [view(tmp_path, f"{i}.png") for i in range(3)]
    posed = [replace(entry, T_cluster_camera=torch.eye(4)) for entry in bare]
    with caplog.at_level(logging.WARNING, "s3d_splat"):
        tell_unused_poses(capture(tmp_path, bare))
        assert not caplog.text
        tell_unused_poses(capture(tmp_path, [posed[0], *bare[1:]]))
        assert "the poses of the capture are not used: 2 of 3 images have none: 1.png, 2.png" in caplog.text
        tell_unused_poses(capture(tmp_path, posed))
        assert "not used: --geometry asks for others" in caplog.text


def splits(clusters: Sequence[CaptureCluster]) -> list[str]:
    found = {entry.name: entry.split for cluster in clusters for entry in cluster.views}
    return [name for name, split in sorted(found.items()) if split == "test"]


def test_every_eighth_image_is_for_testing(tmp_path: Path):
    views = [view(tmp_path, f"{i:02d}.png") for i in range(22)]
    given = capture(tmp_path, views[:12], views[8:])
    assert splits(with_splits(given.clusters, given.names, 8)) == ["04.png", "12.png", "20.png"]
    assert splits(with_splits(given.clusters, given.names, 10)) == ["05.png", "15.png"]
    assert splits(with_splits(given.clusters, given.names, 0)) == []
    kept = capture(tmp_path, views[::2])  # key images alone
    assert splits(with_splits(kept.clusters, given.names, 8)) == ["08.png"]


def test_the_split_of_the_capture_counts(tmp_path: Path):
    views = [view(tmp_path, f"{i:02d}.png", split="test" if i == 1 else None) for i in range(9)]
    given = capture(tmp_path, views)
    assert splits(with_splits(given.clusters, given.names, 8)) == ["01.png"]


def test_splits_that_cannot_be_used_are_refused(tmp_path: Path):
    given = capture(tmp_path, [view(tmp_path, "0.png", split="test")])
    with pytest.raises(S3DError, match="no image is for training"):
        with_splits(given.clusters, given.names, 8)
    given = capture(tmp_path, [view(tmp_path, "0.png", split="test")], [view(tmp_path, "0.png", split="train")])
    with pytest.raises(S3DError, match=r"0.png is for training in one cluster and for testing in another"):
        with_splits(given.clusters, given.names, 8)
