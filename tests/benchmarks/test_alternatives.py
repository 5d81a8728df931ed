"""Contract of the alternatives, on a wall of Gaussians with three objects in stripes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.instances.alternatives.base import LabelledView, Material, found_objects
from benchmarks.instances.alternatives.registry import ALTERNATIVES, alternative
from s3d_splat.instances.evidence import MaskClasses, MaskedView, gather_evidence
from s3d_splat.instances.options import InstanceOptions
from s3d_splat.raster.options import RasterOptions
from s3d_splat.raster.registry import make_rasterizer
from tests.instances.flat_scene import SIDE, Z, camera, stripes, wall

STRIPES = stripes(8, 10, 6)
CHOICES = {"codebook": {"entries": 3, "position_weight": 0.0}, "HDBSCAN": {"position_weight": 0.0}}
TRUE_IDS = ("direct lifting",)  # these know an object by its id alone


def material(views: Sequence[torch.Tensor], class_of: dict[int, int]) -> Material:
    """The wall seen from the front by views with the given masks; class 9 is stuff; features tell the stripes apart."""
    classes, options, gaussians = MaskClasses(class_of, frozenset({9})), InstanceOptions(), wall()
    depth = torch.full((SIDE, SIDE), Z)
    shown = [LabelledView(MaskedView(camera(), masks), depth) for masks in views]
    rasterizer = make_rasterizer(RasterOptions())
    evidence = gather_evidence((v.masked for v in shown), lambda _: gaussians, rasterizer, classes, options.relift)
    noise = 0.01 * torch.randn(SIDE * SIDE, 6, generator=torch.Generator().manual_seed(0))
    return Material(
        cloud=gaussians.means,
        classes=classes,
        views=lambda: iter(shown),
        positions=gaussians.means,
        features=torch.nn.functional.normalize(torch.eye(6)[STRIPES.flatten().long()] + noise, dim=1),
        seen=torch.from_numpy(evidence.seen),
        children=1,
        evidence=evidence,
        decode=lambda _: gaussians,
        rasterizer=rasterizer,
        options=options,
        seconds=0.0,
    )


@pytest.mark.parametrize("name", ALTERNATIVES)
def test_three_stripes_are_two_things_and_one_stuff(name: str) -> None:
    scene = material([STRIPES] * 3, {1: 5, 2: 6, 3: 9})
    labels = alternative(name, CHOICES.get(name, {})).labels(scene)
    assert labels.shape == (SIDE * SIDE,)
    assert np.issubdtype(labels.dtype, np.integer)
    found = found_objects(scene, labels)
    assert found.is_thing.tolist() == [1, 1, 0]
    assert found.class_id.tolist() == [6, 5, 9]
    assert torch.equal(found.anchor_instance.long(), torch.tensor([0, 2, 1, 3])[STRIPES.flatten().long()])


@pytest.mark.parametrize("name", sorted(set(ALTERNATIVES) - set(TRUE_IDS)))
def test_ids_that_change_do_not_matter(name: str) -> None:
    views = [torch.tensor(order)[STRIPES.long()].int() for order in ([0, 1, 2, 3], [0, 12, 11, 13], [0, 23, 22, 21])]
    class_of = {1: 5, 2: 6, 3: 9, 12: 5, 11: 6, 13: 9, 23: 5, 22: 6, 21: 9}
    scene = material(views, class_of)
    found = found_objects(scene, alternative(name, CHOICES.get(name, {})).labels(scene))
    assert torch.equal(found.anchor_instance.long(), torch.tensor([0, 2, 1, 3])[STRIPES.flatten().long()])


def test_direct_lifting_takes_ids_as_given() -> None:
    """An object of two ids is two."""
    other = torch.where(STRIPES == 1, 4, STRIPES)
    scene = material([STRIPES, other, other], {1: 5, 2: 6, 3: 9, 4: 5})
    labels = alternative("direct lifting", {}).labels(scene)
    things = other.numpy().ravel()
    assert np.array_equal(labels[things != 3], things[things != 3])
    assert set(labels[things == 3]) == {4 + 9}  # stuff by its class, above the ids


def test_what_is_mostly_unlabelled_is_no_object() -> None:
    """One view of four shows the first object; beside its border a Gaussian reaches into the pixels of the next."""
    bare = torch.where(STRIPES == 1, 0, STRIPES)
    scene = material([STRIPES, bare, bare, bare], {1: 5, 2: 6, 3: 9})
    labels = np.ones(SIDE * SIDE, dtype=np.int64)
    inner = np.arange(SIDE * SIDE) % SIDE < 7
    assert not found_objects(scene, labels).child_instance.numpy().ravel()[inner].any()


@pytest.mark.parametrize("transfer", ["nearest", "lift"])
def test_the_mask_graph_is_not_misled_by_a_merged_mask(transfer: str) -> None:
    """One view of four shows both things under one mask."""
    merged = torch.where(STRIPES == 2, 1, STRIPES)
    scene = material([STRIPES, STRIPES, merged, STRIPES], {1: 5, 2: 6, 3: 9})
    labels = alternative("mask graph", {"transfer": transfer}).labels(scene)
    things = labels[STRIPES.numpy().ravel() < 3]
    assert len(np.unique(things)) == 2
    assert len(np.unique(labels)) == 3


def test_no_mask_is_no_object() -> None:
    empty = material([torch.zeros_like(STRIPES)] * 2, {})
    blind = replace(empty, seen=torch.zeros(SIDE * SIDE, dtype=torch.float64))
    for name in ("direct lifting", "mask graph"):
        assert not alternative(name, {}).labels(empty).any()
    for name in ("codebook", "HDBSCAN"):
        assert not alternative(name, {}).labels(blind).any()
