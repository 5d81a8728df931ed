"""Instances of points, against a double loop over points and Gaussians."""

import math

import pytest
import torch

from s3d_splat.panoptic import point_labels
from s3d_splat.panoptic.point_labels import label_points
from s3d_splat.types import Gaussians


def splats(
    means: torch.Tensor, scales: torch.Tensor, opacities: torch.Tensor, quaternions: torch.Tensor | None = None
) -> Gaussians:
    if quaternions is None:
        quaternions = torch.tensor([1.0, 0, 0, 0]).to(means).repeat(len(means), 1)
    return Gaussians(means, scales.log(), quaternions, opacities, torch.zeros_like(means))


def random_case(seed: int) -> tuple[torch.Tensor, Gaussians, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    points, means = normal(400, 3), normal(60, 3)
    scales = torch.exp(normal(60, 3) - 2)  # from a few millimetres to more than a metre
    opacities = torch.rand(60, generator=generator, dtype=torch.float64)
    instances = torch.randint(0, 7, (60,), generator=generator, dtype=torch.int32) * 1000
    return points, splats(means, scales, opacities, normal(60, 4) * 3), instances


def rotation(quaternion: torch.Tensor) -> torch.Tensor:
    """R v = v + 2 w (u x v) + 2 u x (u x v), column by column."""
    w, *u = (quaternion / quaternion.norm()).tolist()
    axis = torch.tensor(u, dtype=torch.float64)
    columns = []
    for v in torch.eye(3, dtype=torch.float64):
        turned = torch.linalg.cross(axis, v)
        columns.append(v + 2 * w * turned + 2 * torch.linalg.cross(axis, turned))
    return torch.stack(columns, dim=1)


def brute_force(points: torch.Tensor, gaussians: Gaussians, instances: torch.Tensor) -> list[int]:
    inverses = []
    for log_scales, quaternion in zip(gaussians.log_scales, gaussians.quaternions, strict=True):
        turn = rotation(quaternion)
        inverses.append(torch.linalg.inv(turn @ torch.diag(torch.exp(2 * log_scales)) @ turn.T))
    labels = []
    for point in points:
        sums: dict[int, float] = {}
        for mean, inverse, opacity, instance in zip(
            gaussians.means, inverses, gaussians.opacities, instances.tolist(), strict=True
        ):
            squared = float((point - mean) @ inverse @ (point - mean))
            if squared <= 9 and instance > 0:
                sums[instance] = sums.get(instance, 0.0) + float(opacity) * math.exp(-squared / 2)
        labels.append(max(sums, key=lambda label: sums[label]) if sums else 0)
    return labels


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_brute_force(seed: int) -> None:
    points, gaussians, instances = random_case(seed)
    nowhere = torch.full((1, 3), 1e3, dtype=torch.float64)
    labels = label_points(points, gaussians, instances, nowhere, torch.ones(1, dtype=torch.int32))
    expected = brute_force(points, gaussians, instances)
    assert labels.dtype == torch.int32
    assert labels.tolist() == expected
    assert len(set(expected)) > 4  # the case is not an empty one


def test_bounded_memory_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    points, gaussians, instances = random_case(3)
    anchors, anchor_instance = torch.zeros(1, 3, dtype=torch.float64), torch.ones(1, dtype=torch.int32)
    whole = label_points(points, gaussians, instances, anchors, anchor_instance)
    for name, value in (("_SUMS", 800), ("_PAIRS", 50), ("_COLUMNS", 75)):  # two instances, 50 pairs, 3 Gaussians at a time
        monkeypatch.setattr(point_labels, name, value)
    assert torch.equal(label_points(points, gaussians, instances, anchors, anchor_instance), whole)


def test_many_weak_gaussians_outvote_a_strong_one() -> None:
    # at the origin: 0.5 exp(0) = 0.5 for instance 1; three times 0.3 exp(-0.5 * 1) = 0.546 for instance 2
    means = torch.tensor([[0.0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]])
    gaussians = splats(means, torch.full((4, 3), 0.1), torch.tensor([0.5, 0.3, 0.3, 0.3]))
    labels = label_points(torch.zeros(1, 3), gaussians, torch.tensor([1, 2, 2, 2]), torch.zeros(1, 3), torch.tensor([9]))
    assert labels.tolist() == [2]


def test_the_ellipsoid_ends_at_three_sigmas_and_the_anchors_at_five_centimetres() -> None:
    gaussians = splats(torch.zeros(1, 3), torch.tensor([[0.1, 0.01, 0.01]]), torch.ones(1))
    points = torch.tensor([[0.299, 0, 0], [0.301, 0, 0], [0, 0.029, 0], [0, 0.031, 0], [0, 1.049, 0], [0, 1.051, 0]])
    anchors = torch.tensor([[0.0, 0, 0], [0.0, 1, 0]])
    labels = label_points(points, gaussians, torch.tensor([4]), anchors, torch.tensor([5, 6]))
    assert labels.tolist() == [4, 0, 4, 5, 6, 0]


def test_gaussians_without_instance_or_opacity_have_no_say() -> None:
    gaussians = splats(torch.zeros(3, 3), torch.full((3, 3), 0.1), torch.tensor([0.9, 0.1, 0.0]))
    one = torch.zeros(1, 3)
    assert label_points(one, gaussians, torch.tensor([0, 3, 2]), one, torch.tensor([1])).tolist() == [3]
    assert label_points(one, gaussians, torch.tensor([0, 0, 2]), one, torch.tensor([1])).tolist() == [1]


def test_equal_sums_take_the_lowest_id() -> None:
    gaussians = splats(torch.zeros(2, 3), torch.full((2, 3), 0.1), torch.ones(2))
    assert label_points(torch.zeros(1, 3), gaussians, torch.tensor([8, 3]), torch.zeros(1, 3), torch.tensor([0])).item() == 3


def test_empty_inputs() -> None:
    gaussians = splats(torch.zeros(0, 3), torch.zeros(0, 3), torch.zeros(0))
    none, nowhere = torch.zeros(0, dtype=torch.int32), torch.zeros(0, 3)
    assert label_points(torch.zeros(2, 3), gaussians, none, nowhere, none).tolist() == [0, 0]
    assert label_points(nowhere, gaussians, none, torch.zeros(1, 3), torch.ones(1, dtype=torch.int32)).tolist() == []


def test_arguments_are_left_alone() -> None:
    points, gaussians, instances = random_case(4)
    copies = points.clone(), gaussians.means.clone(), gaussians.opacities.clone(), instances.clone()
    label_points(points, gaussians, instances, points[:1], instances[:1])
    for value, copy in zip((points, gaussians.means, gaussians.opacities, instances), copies, strict=True):
        assert torch.equal(value, copy)
