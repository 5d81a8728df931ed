"""Each fault of the masks does what its name says, and nothing else."""

import numpy as np
import pytest

from s3d_splat.errors import S3DError
from s3d_splat.synthetic import label_faults
from s3d_splat.synthetic.classes import CLASS_IDS
from s3d_splat.synthetic.label_faults import LabelFaults, jittered, merged, split
from s3d_splat.synthetic.options import FaultLevel, SynthOptions

CLASS_OF = np.array([0, *(CLASS_IDS[name] for name in ("floor", "chair", "chair", "table"))], dtype=np.int32)
NAMES = ("floor", "chair 1", "chair 2", "table")


def _faults(*faults: tuple[str, FaultLevel], own_ids: bool = False) -> LabelFaults:
    return LabelFaults(SynthOptions(frames=60, faults=faults), CLASS_OF, NAMES, own_ids=own_ids)


def _quarters() -> np.ndarray:
    """Four masks that meet in the middle of a 40 x 60 image, with an unlabelled frame of 2 pixels."""
    labels = np.zeros((40, 60), dtype=np.int32)
    labels[2:20, 2:30], labels[2:20, 30:58], labels[20:38, 2:30], labels[20:38, 30:58] = 1, 2, 3, 4
    return labels


def _given(faults: LabelFaults, index: int) -> tuple[np.ndarray, np.ndarray]:
    given = faults.apply(index, _quarters())
    assert given is not None
    return given


def _partition(labels: np.ndarray) -> set[bytes]:
    return {(labels == k).tobytes() for k in np.unique(labels)}


def test_without_faults_masks_pass_unchanged_with_their_names() -> None:
    faults = _faults()
    instances, classes = _given(faults, 0)
    np.testing.assert_array_equal(instances, _quarters())
    np.testing.assert_array_equal(classes, CLASS_OF[_quarters()])
    assert [(row.id, row.class_name, row.is_thing, row.name) for row in faults.table()] == [
        (1, "floor", False, "floor"),
        (2, "chair", True, "chair 1"),
        (3, "chair", True, "chair 2"),
        (4, "table", True, "table"),
    ]


def test_renumbering_keeps_regions_and_draws_new_ids_every_twenty_frames() -> None:
    faults = _faults(("renumber", 1.0))
    images = [_given(faults, index)[0] for index in range(60)]
    assert all(_partition(image) == _partition(_quarters()) for image in images)
    ids = [frozenset(np.unique(image)) - {0} for image in images]
    assert len(set(ids)) == 3
    assert len(frozenset.union(*ids)) == 12  # none is used twice
    np.testing.assert_array_equal(images[0], images[19])
    assert [row.id for row in faults.table()] == sorted(frozenset.union(*ids))
    assert all(row.name is None for row in faults.table())


def test_renumbering_every_frame_never_repeats_an_id_and_keeps_classes() -> None:
    faults = _faults(("renumber", "frame"))
    images = [_given(faults, index) for index in range(10)]
    assert len(set().union(*(set(np.unique(image)) - {0} for image, _ in images))) == 40
    assert all((classes == CLASS_OF[_quarters()]).all() for _, classes in images)
    class_of = {row.id: row.class_id for row in faults.table()}
    image, classes = images[3]
    assert all(class_of[int(k)] == int(classes[image == k][0]) for k in np.unique(image) if k)


def test_a_renumbered_frame_does_not_tell_the_order_of_the_true_ids() -> None:
    faults = _faults(("renumber", "frame"))
    orders = {
        tuple(np.argsort([_given(faults, index)[0][r, c] for r, c in ((5, 5), (5, 40), (30, 5), (30, 40))]))
        for index in range(30)
    }
    assert len(orders) > 5


@pytest.mark.parametrize(("level", "share"), [(0.5, 0.1), (1.0, 0.2), (2.0, 0.4)])
def test_dropping_removes_a_fifth_of_the_masks_times_the_level(level: float, share: float) -> None:
    faults = _faults(("drop", level))
    kept = [len(np.unique(_given(faults, index)[0])) - 1 for index in range(400)]
    assert 1 - np.mean(kept) / 4 == pytest.approx(share, abs=0.03)


def test_a_dropped_mask_loses_its_class_too() -> None:
    instances, classes = _given(_faults(("drop", 5.0)), 0)
    assert not instances.any()
    assert not classes.any()


def test_a_merged_mask_takes_the_id_and_the_class_of_one_that_it_touches() -> None:
    faults = _faults(("merge", 1.0))
    merges = 0
    for index in range(200):
        instances, classes = _given(faults, index)
        assert set(np.unique(instances)) <= {0, 1, 2, 3, 4}
        np.testing.assert_array_equal(classes, CLASS_OF[instances])
        # diagonal neighbours meet in a point alone: they do not touch
        both = {int(k) for k in np.unique(instances[_quarters() == 1])}
        assert both != {4} or 4 in {instances[5, 40], instances[30, 5]}
        merges += 4 - (len(np.unique(instances)) - 1)
    assert merges / (200 * 4) == pytest.approx(0.2, abs=0.04)


def test_an_isolated_mask_cannot_be_merged() -> None:
    labels = np.zeros((10, 10), dtype=np.int32)
    labels[1:3, 1:3], labels[6:8, 6:8] = 1, 2
    np.testing.assert_array_equal(merged(labels, 1.0, np.random.default_rng(0)), labels)


def test_splitting_cuts_each_mask_in_three_with_fresh_ids_in_every_frame() -> None:
    faults = _faults(("split", 1.0))
    seen: set[int] = set()
    for index in range(5):
        instances, classes = _given(faults, index)
        np.testing.assert_array_equal(classes, CLASS_OF[_quarters()])
        for k in (1, 2, 3, 4):
            parts = {int(part) for part in np.unique(instances[_quarters() == k])}
            assert len(parts) == 3
            assert not parts & seen
            seen |= parts
    assert len(seen) == 5 * 12
    assert {row.id for row in faults.table()} == seen


def test_half_a_split_cuts_each_mask_in_two() -> None:
    _, sources = split(_quarters(), 0.5, np.random.default_rng(0))
    assert len(sources) == 8


def test_jitter_moves_borders_by_pixels_and_keeps_the_inside() -> None:
    labels = np.zeros((240, 320), dtype=np.int32)
    labels[:, 160:] = 1
    moved = jittered(labels, 3.0, np.random.default_rng(0))
    border = (moved == 0).sum(1) - 160  # by how much each row's border moved, to first order
    assert 1.5 < border.std() < 4.5
    assert (moved[:, :130] == 0).all()
    assert (moved[:, 190:] == 1).all()
    assert (jittered(labels, 0.0, np.random.default_rng(0)) == labels).all()


def test_half_of_the_frames_miss_their_masks() -> None:
    for level, missing in ((1.0, 30), (0.5, 15), (5.0, 60)):
        faults = _faults(("missing", level))
        assert sum(faults.apply(index, _quarters()) is None for index in range(60)) == missing


def test_one_fault_does_not_change_the_draws_of_another() -> None:
    alone, together = _faults(("drop", 1.0)), _faults(("drop", 1.0), ("renumber", 1.0))
    for index in range(10):
        assert _partition(_given(alone, index)[0]) == _partition(_given(together, index)[0])


def test_own_ids_start_at_one_and_last_for_all_frames() -> None:
    faults = _faults(own_ids=True)
    first, last = (_given(faults, index)[0] for index in (0, 59))
    np.testing.assert_array_equal(first, last)
    assert set(np.unique(first)) == {0, 1, 2, 3, 4}


def test_running_out_of_ids_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_faults, "_MAX_ID", 10)
    faults = _faults(("renumber", "frame"))
    faults.apply(0, _quarters())
    with pytest.raises(S3DError, match="more than 10 instance ids"):
        faults.apply(1, _quarters())
