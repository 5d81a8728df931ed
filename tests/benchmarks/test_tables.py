"""Names of cells, and what stands in the tables."""

from pathlib import Path

import pytest

from benchmarks.instances.questions import FAULTS, OURS, TUNING, question, tuning
from benchmarks.instances.table import COLUMNS, markdown, summary, table_rows
from benchmarks.instances.tuning import best_choices, tuning_markdown
from benchmarks.instances.variants import Settings, Variant, cell, configuration, merged
from benchmarks.instances.work import Folders
from s3d_splat.errors import S3DError

SETTINGS = Settings(steps=70)
LIFTING = Variant("lifting", alternative="direct lifting")


def figures(pq: float, **others: float | None) -> dict:
    run = {name: 0.5 for name in COLUMNS if name not in ("pq_lost", "ratio")}
    return run | {"pq": pq, "objects_predicted": 9, "objects_true": 10} | others


def test_what_differs_after_the_training_shares_it() -> None:
    other = Variant("other", instances={"aggregation": {"seeds": 200}})
    cells = [cell(variant, 3, SETTINGS) for variant in (OURS, other, LIFTING)]
    assert len({c.training for c in cells}) == 1
    assert len({c.result for c in cells}) == 3
    assert cells[1].config.instances.aggregation.seeds == 200


def test_what_the_training_depends_on_separates() -> None:
    faulty, wide = Variant("ours", faults=("drop",)), Settings(steps=70, width=640)
    by_view = Variant("ours", training={"scaffold": {"view_dependent_opacity": True}})
    cells = [cell(OURS, 3, SETTINGS), cell(OURS, 4, SETTINGS), cell(faulty, 3, SETTINGS), cell(OURS, 3, wide)]
    cells += [cell(by_view, 3, SETTINGS), cell(OURS, 3, Settings(steps=71))]
    assert len({c.training for c in cells}) == 6
    assert cells[4].scene == cells[0].scene


def test_constants_of_an_alternative_name_its_result() -> None:
    same = cell(Variant("again", alternative="codebook", choices={"entries": 64}), 0, SETTINGS)
    assert same.result == cell(Variant("x", alternative="codebook"), 0, SETTINGS).result
    other = cell(Variant("x", alternative="codebook", choices={"entries": 65}), 0, SETTINGS)
    assert other.result != same.result


def test_the_kitchens_seed_is_that_of_its_training() -> None:
    kitchen = Variant("ours", kitchen=True)
    first, second = (cell(kitchen, seed, SETTINGS) for seed in (1, 2))
    assert (first.scene, first.config.training.seed) == ("kitchen", 1)
    assert first.training != second.training
    assert configuration(OURS, 5, SETTINGS).training.seed == 0


def test_another_preset_keeps_the_schedule() -> None:
    paper = configuration(Variant("paper", preset="paper"), 0, SETTINGS)
    assert (paper.training.steps, paper.training.weights.depth) == (70, 0.0)
    full = configuration(Variant("paper", preset="paper"), 0, Settings(preset="gpu"))
    assert (full.training.steps, full.training.rates.feature) == (30_000, 0.001)


def test_an_override_must_be_an_option() -> None:
    with pytest.raises(S3DError, match="does not fit"):
        configuration(Variant("x", training={"scaffold": {"anchor": 5}}), 0, SETTINGS)


def test_merging_goes_dict_by_dict() -> None:
    assert merged({"a": {"b": 1, "c": (1, 2)}, "d": 3}, {"a": {"c": (4,)}}) == {"a": {"b": 1, "c": (4,)}, "d": 3}


def test_the_kitchen_needs_its_data(tmp_path: Path) -> None:
    kitchen = cell(Variant("ours", kitchen=True), 1, SETTINGS)
    with pytest.raises(S3DError, match="--data"):
        Folders(tmp_path).scene(kitchen)
    assert Folders(tmp_path, Path("there")).scene(kitchen) == Path("there/kitchen_scene")


def test_every_variant_of_every_question_is_sound() -> None:
    names = ("clean+faults", "alternatives", "ablations", "kitchen")
    variants = [variant for name in names for variant in question(name)]
    variants += [variant for method in TUNING for variant in tuning(method)]
    assert all(cell(variant, 0, SETTINGS).result for variant in variants)
    assert [variant.faults for variant in question("clean+faults")] == list(FAULTS)
    for name in names:
        rows = [(variant.method, variant.condition) for variant in question(name)]
        assert len(set(rows)) == len(rows), name


def test_means_spreads_and_what_is_lost() -> None:
    """PQ .9 and .8 clean, .8 and .75 with masks dropped: .1 and .05 lost."""
    cells = [cell(variant, seed, SETTINGS) for variant in (OURS, Variant("ours", ("drop",))) for seed in (1, 2)]
    values = [figures(0.9), figures(0.8, small_found=None), figures(0.8), figures(0.75)]
    clean, drop = table_rows(cells, {c.result: run for c, run in zip(cells, values, strict=True)})
    assert (clean["method"], clean["faults"], clean["seeds"]) == ("ours", "clean", [1, 2])
    assert clean["pq"]["mean"] == pytest.approx(0.85)
    assert clean["pq"]["spread"] == pytest.approx(0.1)
    assert clean["pq_lost"]["mean"] is None
    assert drop["pq_lost"]["mean"] == pytest.approx(0.075)
    assert drop["pq_lost"]["values"] == pytest.approx((0.1, 0.05))
    assert clean["ratio"]["mean"] == pytest.approx(0.9)
    assert clean["small_found"]["values"] == (0.5, None)
    assert clean["small_found"]["mean"] == 0.5
    lines = markdown([clean, drop]).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| ours | clean | 0.850 (0.100) |  |")
    assert lines[3].startswith("| ours | drop | 0.775 (0.050) | 0.075 (0.050) |")


def test_one_seed_has_no_spread_to_show() -> None:
    only = cell(OURS, 1, SETTINGS)
    rows = table_rows([only], {only.result: figures(0.9)})
    assert markdown(rows).splitlines()[2].startswith("| ours | clean | 0.900 |  | 0.500 |")


def test_nothing_measured_is_nothing() -> None:
    assert vars(summary([None, None])) == {"mean": None, "spread": None, "values": (None, None)}


def test_the_best_choice_comes_first() -> None:
    def row(method: str, faults: str, pq: float, ap: float) -> dict:
        return {"method": method, "faults": faults, "pq": {"mean": pq}, "ap": {"mean": ap}}

    rows = [row("a", "clean", 0.9, 0.7), row("a", "drop", 0.5, 0.3), row("b", "clean", 0.8, 0.7), row("b", "drop", 0.8, 0.5)]
    best, second = best_choices("x", rows)
    assert (best["choice"], best["score"]) == ("b", pytest.approx((0.8 + 0.7 + 0.8 + 0.5) / 4))
    assert (second["choice"], second["score"]) == ("a", pytest.approx((0.9 + 0.7 + 0.5 + 0.3) / 4))
    assert tuning_markdown([best, second]).splitlines()[2] == "| b | 0.700 | 0.800 / 0.700 | 0.800 / 0.500 |"
