"""Wrong scales of depth images are found from what other images say; right ones are left alone."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from s3d_splat.alignment.depth_scales import correct_depth
from s3d_splat.alignment.thumbnails import median_near_zero, ratio_between, thumbnail
from s3d_splat.alignment.values import Source, WorldFrame
from s3d_splat.types import Camera
from tests.alignment.posed_images import COUNT, camera_at, room_depth, source, world_frame

FRAMES = 24


def along_the_room(place: int) -> Camera:
    return camera_at((-1.0 + 0.08 * place, 0.1 * math.sin(place), 0.0), yaw=0.3 * math.sin(place / 4))


def capture(folder: Path, factors: np.ndarray) -> tuple[WorldFrame, ...]:
    """A walk through a room with a pillar; row i of `factors` scales the depth of image i in each of its clusters."""
    frames = []
    for place, row in enumerate(factors):
        camera = along_the_room(place)
        depth = room_depth(camera)
        name = f"{place:02d}.png"
        sources = [source(folder, name, camera, depth * factor, cluster=k) for k, factor in enumerate(row)]
        frames.append(world_frame(*sources, index=place))
    return tuple(frames)


def scales(frames: tuple[WorldFrame, ...]) -> np.ndarray:
    return np.array([[given.frame.depth_scale for given in frame.sources] for frame in frames]) / COUNT


def test_perfect_depth_is_left_alone(tmp_path: Path) -> None:
    """The pillar hides what is behind it from some images: that must not look like a wrong scale."""
    corrected = scales(correct_depth(capture(tmp_path, np.ones((FRAMES, 1)))))
    assert np.abs(corrected - 1).max() < 0.004


def test_scales_of_images_and_clusters_are_found(tmp_path: Path) -> None:
    logs = np.random.default_rng(0).normal(0, 0.03, (FRAMES, 2))
    logs -= logs.mean()
    told: list[tuple[int, int]] = []
    frames = capture(tmp_path, np.exp(logs))
    corrected = correct_depth(frames, lambda done, total: told.append((done, total)))
    left = np.log(scales(corrected)) + logs
    assert left.std() < 0.004
    assert np.log(scales(corrected)).mean() == pytest.approx(0, abs=1e-9)  # the world keeps its size
    assert told == [(done, FRAMES) for done in range(1, FRAMES + 1)]
    assert [frame.name for frame in corrected] == [frame.name for frame in frames]
    np.testing.assert_array_equal(scales(frames), 1)  # an argument is never changed


def test_two_sources_of_one_image_meet_in_the_middle(tmp_path: Path) -> None:
    corrected = scales(correct_depth(capture(tmp_path, np.array([[1.0, 1.04]]))))
    assert corrected[0, 0] / corrected[0, 1] == pytest.approx(1.04, abs=1e-3)
    assert corrected[0].prod() == pytest.approx(1, abs=1e-9)


def test_what_cannot_be_compared_keeps_its_scale(tmp_path: Path) -> None:
    """One image in another room, one without depth."""
    frames = capture(tmp_path, np.exp(np.random.default_rng(1).normal(0, 0.03, (6, 1))))
    far = camera_at((100.0, 0.0, 0.0))
    elsewhere = source(tmp_path, "far.png", far, torch.full((far.height, far.width), 2.0))
    bare: Source = source(tmp_path, "bare.png", far)
    corrected = correct_depth((*frames, world_frame(elsewhere, index=6), world_frame(bare, index=7)))
    assert corrected[6].sources[0].frame.depth_scale == pytest.approx(COUNT, abs=1e-12)
    assert corrected[7].sources[0] is bare


def test_nothing_to_correct(tmp_path: Path) -> None:
    bare = world_frame(source(tmp_path, "a.png", camera_at((0.0, 0.0, 0.0))))
    assert correct_depth((bare,)) == (bare,)
    assert correct_depth(()) == ()


def test_the_ratio_of_two_images_is_that_of_their_scales() -> None:
    first, second = along_the_room(3), along_the_room(5)
    trust = torch.ones(first.height, first.width)
    one = thumbnail((room_depth(first), trust), first)
    other = thumbnail((room_depth(second) / 1.03, trust), second)
    found = ratio_between(one, other, 0.0, 0.0)
    assert found is not None
    assert found[0] == pytest.approx(math.log(1.03), abs=0.004)
    found = ratio_between(one, other, 0.0, math.log(1.03))
    assert found is not None
    assert found[0] == pytest.approx(0, abs=0.004)


def test_a_thumbnail_keeps_whole_surfaces_alone() -> None:
    camera = camera_at((0.0, 0.0, 0.0), width=160, height=120)
    depth = torch.full((120, 160), 2.0)
    depth[:, 81:] = 4.0  # the edge runs through a block
    depth[0:2, 0:2] = 0.0
    small = thumbnail((depth, torch.ones_like(depth)), camera)
    assert small.depth.shape == (60, 80)
    assert small.depth[5, :42].tolist() == [2.0] * 40 + [0.0, 4.0]
    assert small.depth[0, 0] == 0.0
    assert (small.camera.fx, small.camera.cx, small.camera.width) == (80.0, 40.0, 80)


def test_the_median_is_that_of_the_values_near_it() -> None:
    values = torch.cat([torch.linspace(-0.001, 0.003, 41), torch.full((20,), 0.1), torch.full((20,), 5.0)])
    found = median_near_zero(values, window=0.15, fewest=40)
    assert found is not None
    assert found[0] == pytest.approx(0.001, abs=1e-6)
    assert median_near_zero(values, window=0.15, fewest=62) is None
