"""Masks that run into each other, and objects that every image shows in several pieces: no object takes another's id."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.alignment.identity.painted_room import LEFT, PILLAR, RIGHT, WALL, capture, row
from tests.alignment.identity.test_assign import TABLE, assigned, names_of

THINGS = (PILLAR, LEFT, RIGHT)


@pytest.mark.parametrize(("taken", "by"), [(PILLAR, WALL), (LEFT, PILLAR), (RIGHT, WALL)])
def test_a_mask_that_now_and_then_takes_its_neighbours_id_keeps_its_own(tmp_path: Path, taken: int, by: int) -> None:
    def merged(cluster: int, index: int, labels: np.ndarray) -> np.ndarray:
        return np.where((labels == taken) & (index % 5 == 2), by, labels).astype(np.int32)

    frames, truth = capture(tmp_path, [range(0, 20)], merged)
    result = assigned(tmp_path, frames, [TABLE])
    found = names_of(tmp_path, frames, truth)
    assert all(len(ids) == 1 for ids in found.values()), found
    assert len({next(iter(ids)) for ids in found.values()}) == 4
    classes = {entry.id: entry.class_name for entry in result.instances}
    assert [classes[next(iter(found[k]))] for k in (WALL, *THINGS)] == ["wall", "pillar", "poster", "poster"]


def test_objects_in_pieces_with_new_ids_in_every_image_do_not_run_into_each_other(tmp_path: Path) -> None:
    """Every mask is cut in three at columns that wander from image to image; no piece has an id twice."""
    rng, tables = np.random.default_rng(0), []

    def split(cluster: int, index: int, labels: np.ndarray) -> np.ndarray:
        pieces = np.zeros(labels.shape, dtype=np.int32)
        for number in (WALL, *THINGS):
            inside = np.nonzero(labels == number)
            if not len(inside[1]):
                continue
            cuts = np.quantile(inside[1], np.sort(rng.uniform(0.2, 0.8, 2)))
            pieces[inside] = len(tables) + 1 + np.searchsorted(cuts, inside[1])
            tables.extend(row(len(tables) + 1 + part, number) for part in range(3))
        return pieces

    frames, truth = capture(tmp_path, [range(0, 20)], split)
    result = assigned(tmp_path, frames, [tables])
    found = names_of(tmp_path, frames, truth)
    assert len(found[WALL]) == 1  # stuff of one class is one
    for number in THINGS:
        others = set().union(*(ids for other, ids in found.items() if other != number))
        assert not (found[number] - {0}) & others, found
        assert len(found[number]) <= 3, found
    assert 4 <= len(result.instances) <= 1 + 3 * 3
