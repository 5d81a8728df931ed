"""From masks that agree in nothing to one id per object, on a room painted by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s3d_splat.alignment.identity.assign import assign_ids
from s3d_splat.alignment.identity.values import Identities
from s3d_splat.alignment.options import IdentityOptions
from s3d_splat.alignment.values import WorldFrame
from s3d_splat.errors import S3DError
from s3d_splat.geometry.cameras import unproject_depth
from s3d_splat.types import InstanceInfo, ProxyGeometry
from tests.alignment.identity.painted_room import LEFT, PILLAR, RIGHT, WALL, cameras, capture, row, true_labels
from tests.alignment.posed_images import room_depth

TABLE = [row(number, number) for number in (WALL, PILLAR, LEFT, RIGHT)]
NO_POINTS = ProxyGeometry(torch.zeros(0, 3), torch.zeros(0, 3))


def assigned(
    folder: Path, frames: list[WorldFrame], tables: list[list[InstanceInfo]], proxy: ProxyGeometry = NO_POINTS
) -> Identities:
    return assign_ids(frames, tables, proxy, folder / "out", IdentityOptions(), 0, None)


def drawn(folder: Path, frame: WorldFrame) -> np.ndarray:
    return np.asarray(Image.open(folder / "out" / f"{Path(frame.name).stem}.png")).astype(np.int32)


def names_of(folder: Path, frames: list[WorldFrame], truth: list[torch.Tensor]) -> dict[int, set[int]]:
    """Per true id, the drawn ids that cover most of it in some image."""
    found: dict[int, set[int]] = {}
    for frame, labels in zip(frames, truth, strict=True):
        image = drawn(folder, frame)
        for number in np.unique(labels.numpy()):
            found.setdefault(int(number), set()).add(int(np.bincount(image[labels.numpy() == number]).argmax()))
    return found


def shifted(cluster: int, index: int, labels: np.ndarray) -> np.ndarray:
    """Every cluster counts from elsewhere and the other way round."""
    return np.where(labels > 0, labels if cluster == 0 else 30 - labels, 0).astype(np.int32)


def test_two_clusters_get_one_table(tmp_path: Path) -> None:
    frames, truth = capture(tmp_path, [range(0, 8), range(6, 14)], shifted)
    tables = [TABLE, [row(30 - entry.id, entry.id) for entry in TABLE]]
    result = assigned(tmp_path, frames, tables)
    found = names_of(tmp_path, frames, truth)
    assert all(len(ids) == 1 for ids in found.values())
    assert len({next(iter(ids)) for ids in found.values()}) == 4
    assert [entry.id for entry in result.instances] == [1, 2, 3, 4]
    by_id = {entry.id: entry for entry in result.instances}
    assert [by_id[next(iter(found[k]))].class_name for k in (WALL, PILLAR, LEFT, RIGHT)] == [
        "wall",
        "pillar",
        "poster",
        "poster",
    ]
    assert [entry.name for entry in result.classes] == ["wall", "pillar", "poster"]
    assert all(entry.score > 0.95 for entry in result.instances)


def test_ids_drawn_anew_within_a_cluster_are_recovered(tmp_path: Path) -> None:
    def renumbered(cluster: int, index: int, labels: np.ndarray) -> np.ndarray:
        return (labels + 10 * (index // 6)).astype(np.int32)

    frames, truth = capture(tmp_path, [range(0, 18)], renumbered)
    table = [row(entry.id + 10 * block, entry.id) for block in range(3) for entry in TABLE]
    result = assigned(tmp_path, frames, [table])
    assert all(len(ids) == 1 for ids in names_of(tmp_path, frames, truth).values())
    assert len(result.instances) == 4


def test_a_mask_that_dropped_out_is_drawn_from_its_neighbours(tmp_path: Path) -> None:
    def dropped(cluster: int, index: int, labels: np.ndarray) -> np.ndarray:
        return np.where((labels == RIGHT) & (index == 5), 0, labels).astype(np.int32)

    frames, truth = capture(tmp_path, [range(0, 10)], dropped)
    result = assigned(tmp_path, frames, [TABLE])
    image, poster = drawn(tmp_path, frames[5]), truth[5].numpy() == RIGHT
    number = int(np.bincount(image[poster]).argmax())
    assert (image[poster] == number).mean() > 0.9
    assert (image[~poster] == number).sum() < 0.1 * poster.sum()
    assert result.tracks[number].filled == (5,)
    assert 5 not in result.tracks[number].given


def test_an_id_that_jumps_to_another_object_is_split(tmp_path: Path) -> None:
    def jumping(cluster: int, index: int, labels: np.ndarray) -> np.ndarray:
        if index < 6:
            return np.where(labels == RIGHT, 0, labels).astype(np.int32)
        return np.where(labels == RIGHT, LEFT, np.where(labels == LEFT, 0, labels)).astype(np.int32)

    frames, truth = capture(tmp_path, [range(0, 12)], jumping)
    assigned(tmp_path, frames, [TABLE])
    found = names_of(tmp_path, frames, truth)
    assert found[LEFT] - {0} != found[RIGHT] - {0}
    assert len(found[LEFT] - {0}) == len(found[RIGHT] - {0}) == 1


def test_a_mask_on_the_wrong_object_is_rejected(tmp_path: Path) -> None:
    def swapped_once(cluster: int, index: int, labels: np.ndarray) -> np.ndarray:
        if index != 5:
            return labels.astype(np.int32)
        return np.select([labels == LEFT, labels == PILLAR], [PILLAR, LEFT], labels).astype(np.int32)

    frames, truth = capture(tmp_path, [range(0, 12)], swapped_once)
    result = assigned(tmp_path, frames, [TABLE])
    assert all(len(ids) == 1 for ids in names_of(tmp_path, frames, truth).values())
    assert len(result.instances) <= 6


def test_noise_at_borders_is_averaged_away(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)

    def noisy(cluster: int, index: int, labels: np.ndarray) -> np.ndarray:
        return np.roll(labels, generator.integers(-3, 4, size=2), axis=(0, 1)).astype(np.int32)

    frames, truth = capture(tmp_path, [range(0, 20)], noisy)
    assigned(tmp_path, frames, [TABLE])
    given = [np.asarray(Image.open(frame.sources[0].frame.instance_path)) for frame in frames]  # type: ignore[arg-type]
    wrong_before = np.mean([image != labels.numpy() for image, labels in zip(given, truth, strict=True)])
    names = {number: max(ids) for number, ids in names_of(tmp_path, frames, truth).items()}
    expected = [np.vectorize(names.get)(labels.numpy()) for labels in truth]
    wrong_after = np.mean([drawn(tmp_path, f) != image for f, image in zip(frames, expected, strict=True)])
    assert wrong_after < 0.5 * wrong_before


def test_points_of_the_proxy_get_the_ids_of_the_masks(tmp_path: Path) -> None:
    frames, truth = capture(tmp_path, [range(0, 6)], lambda cluster, index, labels: labels.astype(np.int32))
    camera = cameras(6)[2]
    points = unproject_depth(room_depth(camera).double(), camera).reshape(-1, 3)
    result = assigned(tmp_path, frames, [TABLE], ProxyGeometry(points, torch.zeros_like(points)))
    expected = {number: next(iter(ids)) for number, ids in names_of(tmp_path, frames, truth).items()}
    labels = true_labels(camera).reshape(-1)
    agree = result.point_instances == torch.tensor([expected[int(number)] for number in labels], dtype=torch.int32)
    assert float(agree.double().mean()) > 0.95


def test_images_without_depth_keep_their_masks(tmp_path: Path) -> None:
    frames, truth = capture(tmp_path, [range(0, 4)], lambda cluster, index, labels: labels.astype(np.int32))
    for frame in frames:
        for entry in frame.sources:
            assert entry.frame.depth_path is not None
            Image.fromarray(np.zeros((60, 80), dtype=np.uint16)).save(entry.frame.depth_path)
    result = assigned(tmp_path, frames, [TABLE])
    assert all(len(ids) == 1 for ids in names_of(tmp_path, frames, truth).values())
    assert len(result.instances) == 4


def test_progress_counts_every_image_twice(tmp_path: Path) -> None:
    frames, _ = capture(tmp_path, [range(0, 3)], lambda cluster, index, labels: labels.astype(np.int32))
    seen: list[tuple[int, int]] = []
    assign_ids(frames, [TABLE], NO_POINTS, tmp_path / "out", IdentityOptions(), 0, lambda *done: seen.append(done))
    assert seen == [(k, 6) for k in range(1, 7)]


def test_clusters_that_disagree_about_a_class_are_refused(tmp_path: Path) -> None:
    frames, _ = capture(tmp_path, [range(0, 3), range(2, 5)], lambda cluster, index, labels: labels.astype(np.int32))
    other = [*TABLE[:1], InstanceInfo(PILLAR, 2, "lamp", True, 1.0), *TABLE[2:]]
    with pytest.raises(S3DError, match="cluster 1 calls class 2 'lamp', another one something else"):
        assigned(tmp_path, frames, [TABLE, other])


def test_a_capture_without_masks_is_refused(tmp_path: Path) -> None:
    frames, _ = capture(tmp_path, [range(0, 2)], lambda cluster, index, labels: labels.astype(np.int32))
    bare = []
    for frame in frames:
        sources = [replace(entry, frame=replace(entry.frame, instance_path=None)) for entry in frame.sources]
        bare.append(replace(frame, sources=tuple(sources)))
    with pytest.raises(S3DError, match="no image of the capture has a mask"):
        assigned(tmp_path, bare, [TABLE])


def test_masks_of_images_segmented_one_by_one_are_joined(tmp_path: Path) -> None:
    def fresh(cluster: int, index: int, labels: np.ndarray) -> np.ndarray:
        return (labels + 10 * index).astype(np.int32)

    frames, truth = capture(tmp_path, [range(0, 18)], fresh)
    table = [row(entry.id + 10 * index, entry.id) for index in range(18) for entry in TABLE]
    result = assigned(tmp_path, frames, [table])
    assert all(len(ids) == 1 for ids in names_of(tmp_path, frames, truth).values())
    assert len(result.instances) == 4


def test_test_images_follow_and_have_no_vote(tmp_path: Path) -> None:
    """Whatever the masks of a test image are drawn like, those of the other images, the table and the points stay."""

    def thick(cluster: int, index: int, labels: np.ndarray) -> np.ndarray:
        grown = np.where(np.roll(labels, 2, axis=1) == PILLAR, PILLAR, labels)
        return (grown if index == 5 else labels).astype(np.int32)

    results = []
    for name, relabel in (("as it is", lambda cluster, index, labels: labels), ("thick", thick)):
        folder = tmp_path / name
        frames, truth = capture(folder, [range(0, 10)], relabel)
        source = frames[5].sources[0]
        test = replace(source, frame=replace(source.frame, split="test"))
        frames[5] = replace(frames[5], sources=(test,))
        points = ProxyGeometry(*(torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) for _ in range(2)))
        results.append((assigned(folder, frames, [TABLE], points), [drawn(folder, frame) for frame in frames]))
        assert all(len(ids) == 1 for ids in names_of(folder, frames, truth).values())
    (plain, images), (other, other_images) = results
    assert plain.instances == other.instances
    assert (plain.point_instances == other.point_instances).all()
    assert [k for k in range(10) if (images[k] != other_images[k]).any()] == [5]


def test_an_object_of_test_images_alone_keeps_its_class(tmp_path: Path) -> None:
    def once(cluster: int, index: int, labels: np.ndarray) -> np.ndarray:
        return np.where((labels == RIGHT) & (index != 5), 0, labels).astype(np.int32)

    frames, _ = capture(tmp_path, [range(0, 10)], once)
    source = frames[5].sources[0]
    frames[5] = replace(frames[5], sources=(replace(source, frame=replace(source.frame, split="test")),))
    result = assigned(tmp_path, frames, [TABLE])
    assert sorted(entry.class_name for entry in result.instances).count("poster") == 2
    assert [entry.name for entry in result.classes] == ["wall", "pillar", "poster"]
