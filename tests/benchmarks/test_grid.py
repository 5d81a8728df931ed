"""The grid end to end on a tiny scene: trainings are shared, results are kept, figures are those of the files."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.instances import grid, work
from benchmarks.instances.table import markdown, table_rows
from benchmarks.instances.variants import Cell, Settings, Variant, cell
from benchmarks.instances.work import Folders
from s3d_splat.errors import S3DError
from s3d_splat.pipeline.runs import open_trained
from tests.scene_fixtures import write_tiny_scene

SETTINGS = Settings(steps=40, frames=8, width=32, height=32)
SMALL = {"scaffold": {"anchors": 150, "growth": {"max_anchors": 200}}, "raster": {"backend": "cpu"}}
OURS = Variant("ours", training=SMALL, instances={"aggregation": {"seeds": 60}})
LIFTING = replace(OURS, method="lifting", alternative="direct lifting")


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(function, arguments):
        function(*arguments)
        return True, 0.0

    monkeypatch.setattr(grid, "_in_process", call)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose scene is there already."""
    folder = tmp_path_factory.mktemp("grid")
    write_tiny_scene(Folders(folder).scene(cells()[0]), truth=True)
    return folder


def cells() -> list[Cell]:
    return [cell(variant, 0, SETTINGS) for variant in (OURS, LIFTING)]


def test_the_grid_goes_on_where_it_was(out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    folders = Folders(out)
    figures = grid.run_grid(cells(), SETTINGS, folders, jobs=1)
    assert [path.name for path in (out / "trainings").iterdir()] == [cells()[0].training]
    assert len(figures) == 2
    for found in figures.values():
        assert 0 <= found["pq"] <= 1
        assert found["objects_true"] == 3
        assert found["merged"] is not None
        assert found["long_whole"] is None  # both chairs are under 2 m, and the wall is no thing
        assert found["aggregation_seconds"] > 0
        assert found["train_seconds"] > 0
    assert capsys.readouterr().err == f"[1/1] {cells()[0].training} done in 0 s\n"

    ours, lifting = (folders.figures(c) for c in cells())
    before = ours.stat().st_mtime_ns
    lifting.unlink()
    monkeypatch.setattr(work, "train", lambda *_: pytest.fail("it is trained already"))
    again = grid.run_grid(cells(), SETTINGS, folders, jobs=1)
    assert ours.stat().st_mtime_ns == before
    assert again[cells()[1].result]["pq"] == figures[cells()[1].result]["pq"]
    assert len(markdown(table_rows(cells(), again)).splitlines()) == 4

    monkeypatch.setattr(work, "code_digest", lambda: "other code")
    grid.run_grid(cells(), SETTINGS, folders, jobs=1)
    assert ours.stat().st_mtime_ns > before
    assert json.loads(ours.read_text())["code"] == "other code"


def test_a_result_is_a_run_folder_with_its_own_configuration(out: Path) -> None:
    folders = Folders(out)
    other = cell(replace(OURS, method="few", instances={"aggregation": {"seeds": 20}}), 0, SETTINGS)
    grid.run_grid([other], SETTINGS, folders, jobs=1)
    run = open_trained(folders.result(other))
    assert run.config.instances.aggregation.seeds == 20
    assert (folders.result(other) / "checkpoints").resolve() == (folders.training(other) / "checkpoints").resolve()
    assert json.loads(folders.figures(other).read_text())["anchors"] == run.field.anchor_count


def test_what_fails_is_named_and_the_rest_is_kept(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = cell(replace(OURS, method="bad", training={"training": {"seed": 9}} | SMALL), 0, SETTINGS)
    good = cell(replace(OURS, method="good", instances={"aggregation": {"seeds": 30}}), 0, SETTINGS)

    def call(function, arguments):
        if function is work.train_and_measure and arguments[0][0].training == bad.training:
            return False, 0.0
        function(*arguments)
        return True, 0.0

    monkeypatch.setattr(grid, "_in_process", call)
    with pytest.raises(SystemExit, match=f"failed: {bad.training}$"):
        grid.run_grid([bad, good], SETTINGS, Folders(out), jobs=1)
    assert Folders(out).figures(good).exists()


def test_the_kitchen_has_one_fault(tmp_path: Path) -> None:
    dropped = cell(Variant("ours", faults=("drop",), kitchen=True), 0, SETTINGS)
    with pytest.raises(S3DError, match="no such fault"):
        work.make_scene(dropped, SETTINGS, Folders(tmp_path, tmp_path))
