"""From anchors, a rasterizer and masked views to instances, on a wall of Gaussians."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from s3d_splat.instances.build import build_instances, mask_classes
from s3d_splat.instances.evidence import MaskClasses, MaskedView, gather_evidence
from s3d_splat.instances.options import AggregationOptions, InstanceOptions, ReliftOptions
from s3d_splat.raster.base import Rasterizer
from s3d_splat.raster.options import RasterOptions
from s3d_splat.raster.registry import make_rasterizer
from s3d_splat.types import ClassInfo, Gaussians, InstanceInfo, InstanceSet
from tests.instances.flat_scene import SIDE, camera, stripes, wall

OPTIONS = InstanceOptions(aggregation=AggregationOptions(seeds=50, voxel=1.0, position_weight=0.02, unseen_radius=3.0))
CLASSES = MaskClasses({1: 5, 2: 6, 3: 9, 4: 9}, frozenset({9}))
FEATURES = torch.eye(6)


@pytest.fixture(scope="module")
def rasterizer() -> Rasterizer:
    return make_rasterizer(RasterOptions())


def build(
    rasterizer: Rasterizer,
    views: list[MaskedView],
    features: torch.Tensor,
    gaussians: Gaussians | None = None,
    options: InstanceOptions = OPTIONS,
    classes: MaskClasses = CLASSES,
) -> InstanceSet:
    shown = wall() if gaussians is None else gaussians
    return build_instances(shown.means, features, lambda camera: shown, rasterizer, views, classes, options)


def three_views() -> list[MaskedView]:
    """Objects 1, 2 and 3 side by side; the views' ids are the scene's."""
    return [MaskedView(camera(), stripes(8, 10, 6))] * 3


def test_three_stripes_are_two_things_and_one_stuff(rasterizer: Rasterizer) -> None:
    found = build(rasterizer, three_views(), FEATURES[stripes(8, 10, 6).flatten().long()])
    assert found.instance_id.tolist() == [1, 2, 3]
    assert found.size.tolist() == [10 * SIDE, 8 * SIDE, 6 * SIDE]
    assert found.class_id.tolist() == [6, 5, 9]
    assert found.is_thing.tolist() == [1, 1, 0]
    expected = torch.tensor([0, 2, 1, 3])[stripes(8, 10, 6).long()].flatten()
    assert torch.equal(found.anchor_instance.long(), expected)
    assert torch.equal(found.child_instance[:, 0].long(), expected)
    torch.testing.assert_close(found.aabb[1], torch.tensor([[-11.5, -11.5, 4.0], [-4.5, 11.5, 4.0]]))
    assert bool((found.score > 0.9).all())


@pytest.mark.parametrize("anew", [0, 1], ids=["in all frames alike", "in every frame"])
def test_what_ids_are_called_does_not_matter(rasterizer: Rasterizer, anew: int) -> None:
    """Bit for bit, from a field whose features say little."""
    features = FEATURES[stripes(8, 10, 6).flatten().long()]
    features = features + 0.3 * torch.randn(features.shape, generator=torch.Generator().manual_seed(0))
    masks = stripes(8, 10, 6)
    renamed, of_id = [], {}
    for frame in range(3):
        turn = anew * frame
        names = torch.tensor([0, 70 - turn, 20 + turn, 30 + 7 * turn], dtype=torch.int32)
        renamed.append(MaskedView(camera(), names[masks.long()]))
        of_id |= {int(name): CLASSES.of_id[number] for number, name in enumerate(names.tolist()) if number}
    first = build(rasterizer, three_views(), features)
    second = build(rasterizer, renamed, features, classes=replace(CLASSES, of_id=of_id))
    for name in InstanceSet.__dataclass_fields__:
        assert torch.equal(getattr(first, name), getattr(second, name)), name


def test_features_that_cannot_tell_two_objects_are_repaired_by_the_masks(rasterizer: Rasterizer) -> None:
    one = FEATURES[torch.zeros(SIDE * SIDE, dtype=torch.int64)]
    assert build(rasterizer, three_views(), one).size.tolist() == [10 * SIDE, 8 * SIDE, 6 * SIDE]


def test_an_object_in_many_pieces_is_made_whole_by_the_masks(rasterizer: Rasterizer) -> None:
    pieces = FEATURES[stripes(2, 3, 3, 5, 5, 6).flatten().long() - 1]
    assert build(rasterizer, three_views(), pieces).size.tolist() == [10 * SIDE, 8 * SIDE, 6 * SIDE]


def test_several_stuff_ids_of_a_class_are_one_instance(rasterizer: Rasterizer) -> None:
    masks = stripes(8, 10, 6)
    masks = torch.where((masks == 3) & (torch.arange(SIDE)[:, None] < 12), 4, masks)
    found = build(rasterizer, [MaskedView(camera(), masks)] * 2, FEATURES[masks.flatten().long()])
    assert found.size.tolist() == [10 * SIDE, 8 * SIDE, 6 * SIDE]
    assert found.is_thing.tolist() == [1, 1, 0]


def test_semantic_images_speak_before_the_table(rasterizer: Rasterizer) -> None:
    classes = torch.tensor([0, 2, 3, 4], dtype=torch.int32)[stripes(8, 10, 6).long()]
    views = [MaskedView(camera(), stripes(8, 10, 6), classes)]
    found = build(rasterizer, views, FEATURES[stripes(8, 10, 6).flatten().long()])
    assert sorted(found.class_id.tolist()) == [2, 3, 4]


def test_what_no_view_shows_takes_its_neighbours_label(rasterizer: Rasterizer) -> None:
    """The camera stands 6 pixels further left: the last six columns are outside; three of them are near enough."""
    masks = torch.where(torch.arange(SIDE) < 6, 0, 1).expand(SIDE, SIDE).int()
    features = FEATURES[torch.ones(SIDE * SIDE, dtype=torch.int64)]
    found = build(rasterizer, [MaskedView(camera(-6.0), masks)], features)
    columns = found.anchor_instance.reshape(SIDE, SIDE)[5]
    assert columns.tolist() == [1] * 21 + [0] * 3


def test_without_views_there_are_no_instances(rasterizer: Rasterizer) -> None:
    found = build(rasterizer, [], FEATURES[torch.ones(SIDE * SIDE, dtype=torch.int64)])
    assert len(found.instance_id) == 0
    assert found.child_instance.shape == (SIDE * SIDE, 1)
    assert int(found.child_instance.abs().max()) == 0


def test_without_masks_there_are_no_instances(rasterizer: Rasterizer) -> None:
    views = [MaskedView(camera(), torch.zeros(SIDE, SIDE, dtype=torch.int32))]
    found = build(rasterizer, views, FEATURES[torch.ones(SIDE * SIDE, dtype=torch.int64)])
    assert len(found.instance_id) == 0


def test_evidence_is_the_rendering_weight_under_each_mask(rasterizer: Rasterizer) -> None:
    masks = torch.zeros(SIDE, SIDE, dtype=torch.int32)
    masks[:4, :4] = 8
    masks[0, 6] = 5  # too small
    evidence = gather_evidence([MaskedView(camera(), masks)], lambda _: wall(), rasterizer, CLASSES, ReliftOptions())
    assert evidence.weights.shape == (1, SIDE * SIDE)
    assert evidence.seen.sum() == pytest.approx(float(rasterizer.render(wall(), camera()).alpha.sum()), rel=1e-4)
    assert evidence.weights.sum() == pytest.approx(float(rasterizer.render(wall(), camera()).alpha[:4, :4].sum()), rel=0.02)


def test_a_childs_label_may_differ_from_its_anchors(rasterizer: Rasterizer) -> None:
    """Anchors own two Gaussians side by side; the border between two objects runs between the children of one."""
    shown = wall()
    found = build_instances(
        shown.means[::2],
        FEATURES[stripes(9, 15).flatten().long()][::2],
        lambda camera: shown,
        rasterizer,
        [MaskedView(camera(), stripes(9, 15))],
        CLASSES,
        OPTIONS,
    )
    assert found.child_instance.shape == (SIDE * SIDE // 2, 2)
    assert found.child_instance[4].tolist() == [2, 1]
    assert found.size.tolist() == [15 * SIDE, 9 * SIDE]


def clusters_alone(rounds: int = 0, **aggregation: object) -> InstanceOptions:
    """Options under which over-segments of any size join, and masks do not vote unless there are rounds."""
    chosen = replace(OPTIONS.aggregation, min_join=1, **aggregation)  # type: ignore[arg-type]
    return replace(OPTIONS, aggregation=chosen, relift=replace(OPTIONS.relift, rounds=rounds))


@pytest.mark.parametrize("rounds", [0, 2])
def test_gaussians_with_features_of_their_own_are_clustered_themselves(rasterizer: Rasterizer, rounds: int) -> None:
    """As above, and already the features tell the two children of an anchor on the border apart."""
    shown, border = wall(), stripes(9, 15).flatten().long()
    options = clusters_alone(rounds=rounds)
    views = [MaskedView(camera(), stripes(9, 15))]
    features = FEATURES[border].reshape(-1, 2, 6)
    found = build_instances(shown.means[::2], features, lambda camera: shown, rasterizer, views, CLASSES, options)
    assert found.child_instance.shape == (SIDE * SIDE // 2, 2)
    assert found.child_instance[4].tolist() == [2, 1]
    assert found.size.tolist() == [15 * SIDE, 9 * SIDE]


@pytest.mark.parametrize("owner", ["anchor", "gaussian"])
def test_the_masks_choose_a_threshold_that_tells_two_objects_apart(rasterizer: Rasterizer, owner: str) -> None:
    """Two objects whose features are 0.1 apart where the constant joins whatever is nearer than 0.15."""
    border = stripes(9, 15).flatten().long()
    features = FEATURES[1] + 0.22 * (border == 2)[:, None] * FEATURES[2]
    features = features if owner == "anchor" else features[:, None]
    views = [MaskedView(camera(), stripes(9, 15))]
    assert build(rasterizer, views, features, options=clusters_alone(feature_threshold=0.15)).size.tolist() == [SIDE * SIDE]
    assert build(rasterizer, views, features, options=clusters_alone(feature_threshold=None)).size.tolist() == [
        15 * SIDE,
        9 * SIDE,
    ]


def test_edges_by_colour_see_the_colours_of_the_gaussians(rasterizer: Rasterizer) -> None:
    border = stripes(9, 15).flatten()
    shown = replace(wall(), colours=(border == 1)[:, None].expand(-1, 3).float())
    views = [MaskedView(camera(), stripes(9, 15))]
    found = build(rasterizer, views, FEATURES[border.long()], shown, clusters_alone(edges="colour"))
    assert found.size.tolist() == [15 * SIDE, 9 * SIDE]


def test_stuff_is_what_either_table_calls_stuff() -> None:
    instances = [InstanceInfo(3, 12, "floor", False, 1.0), InstanceInfo(4, 1, "cup", True, 1.0)]
    classes = [ClassInfo(12, "floor", False), ClassInfo(1, "cup", True), ClassInfo(2, "wall", False)]
    assert mask_classes(instances, classes) == MaskClasses({3: 12, 4: 1}, frozenset({12, 2}))


def test_what_a_view_shows_of_itself_is_no_evidence(rasterizer: Rasterizer) -> None:
    """The left half is masked: Gaussians there are neither labelled nor seen without a label."""
    labels, mask = stripes(SIDE), (torch.arange(SIDE) >= SIDE // 2).expand(SIDE, SIDE)
    view = MaskedView(camera(), labels * mask, mask=mask)
    evidence = gather_evidence([view], lambda _: wall(), rasterizer, CLASSES, ReliftOptions())
    seen = evidence.seen.reshape(SIDE, SIDE)
    assert not seen[:, : SIDE // 2 - 1].any()
    assert evidence.seen.sum() == pytest.approx(evidence.weights.sum(), rel=0.01)
    found = build(rasterizer, [view, MaskedView(camera(), labels)], FEATURES[labels.flatten().long()])
    assert int((found.anchor_instance == 0).sum()) == 0


def test_stuff_is_told_by_its_class_where_masks_choose_nothing(rasterizer: Rasterizer) -> None:
    found = build(rasterizer, three_views(), FEATURES[stripes(8, 10, 6).flatten().long()], options=clusters_alone())
    assert found.class_id.tolist() == [6, 5, 9]
    assert found.is_thing.tolist() == [1, 1, 0]


def test_masks_over_no_gaussian_find_nothing(rasterizer: Rasterizer) -> None:
    far = MaskedView(camera(500.0), stripes(8, 10, 6))
    assert build(rasterizer, [far], FEATURES[stripes(8, 10, 6).flatten().long()]).instance_id.numel() == 0


def test_a_scene_in_centimetres_has_the_same_objects(rasterizer: Rasterizer) -> None:
    """All lengths times a hundred; the options' lengths stay as they are, in metres."""
    shown, labels = wall(), stripes(8, 10, 6)
    large = replace(shown, means=100 * shown.means, log_scales=shown.log_scales + np.log(100))
    away = MaskedView(replace(camera(), T_world_camera=camera().T_world_camera), labels)
    small = build(rasterizer, three_views(), FEATURES[labels.flatten().long()], shown)
    found = build(rasterizer, [away] * 3, FEATURES[labels.flatten().long()], large)
    assert torch.equal(found.anchor_instance, small.anchor_instance)


def test_no_anchor(rasterizer: Rasterizer) -> None:
    none = Gaussians(*(getattr(wall(), name)[:0] for name in ("means", "log_scales", "quaternions", "opacities", "colours")))
    assert build(rasterizer, three_views(), FEATURES[:0], none).instance_id.numel() == 0
