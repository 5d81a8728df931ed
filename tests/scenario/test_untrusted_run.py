"""Run folders that somebody else made, or spoilt: every command says what is wrong, in one message, and runs nothing."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from s3d_splat.cli import main
from tests.scenario.chairs import edit_instances, instances_of, knows_colours, own_copy
from tests.scenario.test_user_errors import refused

PICKLE = b"\x80\x04cposix\nsystem\n(S'touch pwned'\ntR."
COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "render": lambda run: ["render", str(run)],
    "evaluate": lambda run: ["evaluate", "run", str(run)],
    "query": lambda run: ["query", str(run), "a chair"],
    "export": lambda run: ["export", str(run), "--out", str(run.parent / "out.ply")],
    "scannet": lambda run: ["export", str(run), "--out", str(run.parent / "out"), "--format", "scannet"],
    "aggregate": lambda run: ["aggregate", str(run)],
}
Spoil = Callable[[Path], None]


def described(*keys: str, value: Any) -> Spoil:
    """Another value in run.json."""

    def spoil(run: Path) -> None:
        document = json.loads((run / "run.json").read_text())
        inner = document
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        (run / "run.json").write_text(json.dumps(document))

    return spoil


def checkpoint(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    """Another state in the only checkpoint."""

    def spoil(run: Path) -> None:
        *others, path = sorted(
            (run / "checkpoints").glob("step-*.pt"), key=lambda path: int(path.stem.removeprefix("step-"))
        )
        for other in others:
            other.unlink()
        content = torch.load(path, weights_only=True)
        change(content["state"])
        torch.save(content, path)

    return spoil


def tensor(name: str, change: Callable[[torch.Tensor], Any]) -> Spoil:
    """Another value of a tensor of the field."""

    def changed(state: dict[str, Any]) -> None:
        field = state["session"]["field"]
        field[name] = change(field[name])

    return checkpoint(changed)


def objects(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    """Another array in instances.npz."""
    return lambda run: edit_instances(run, **{name: change(instances_of(run)[name])})


def file(name: str, data: bytes) -> Spoil:
    return lambda run: (run / name).write_bytes(data) and None


def cut(name: str) -> Spoil:
    return lambda run: (run / name).write_bytes((run / name).read_bytes()[:-60]) and None


def head_that_lies(run: Path) -> None:
    """An array that claims 20 TB."""
    arrays = instances_of(run)
    with zipfile.ZipFile(run / "instances.npz", "w") as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.save(data, array)
            if name == "child_instance":
                data = io.BytesIO()
                header = {"descr": "<i4", "fortran_order": False, "shape": (10**12, 5)}
                np.lib.format.write_array_header_1_0(data, header)
                data.write(array.tobytes())
            archive.writestr(f"{name}.npy", data.getvalue())


def pickled_checkpoint(run: Path) -> None:
    for path in (run / "checkpoints").glob("*.pt"):
        path.write_bytes(PICKLE)


RUN_JSON = {
    "broken": file("run.json", b"{"),
    "deep": file("run.json", b"[" * 100_000),
    "a list": file("run.json", b"[]"),
    "no scene": described("scene", value=None),
    "a number as scene": described("scene", value=7),
    "a long scene": described("scene", value="x" * 5000),
    "a scene with NUL": described("scene", value="a\0b"),
    "another version": described("format_version", value="1"),
    "a number as command": described("command", value=7),
    "a list of versions": described("versions", value=[]),
    "many children": described("configuration", "scaffold", "children", value=10**9),
    "wide heads": described("configuration", "scaffold", "hidden", value=10**12),
    "negative heads": described("configuration", "scaffold", "hidden", value=-4),
    "an appearance": described("configuration", "scaffold", "appearance", value=4),
    "an unknown option": described("configuration", "nonsense", value=1),
    "an unknown rasterizer": described("configuration", "raster", "backend", value="magic"),
}
CHECKPOINT = {
    "a pickle": pickled_checkpoint,
    "nothing": checkpoint(lambda state: state.clear()),
    "no field": checkpoint(lambda state: state["session"].pop("field")),
    "a number as session": checkpoint(lambda state: state.update(session=7)),
    "no seconds": checkpoint(lambda state: state.pop("seconds")),
    "text as seconds": checkpoint(lambda state: state.update(seconds="x")),
    "seconds that are no number": checkpoint(lambda state: state.update(seconds=float("nan"))),
    "a list as tensor": tensor("positions", lambda value: value.tolist()),
    "few positions": tensor("positions", lambda value: value[:-1]),
    "flat positions": tensor("positions", lambda value: value[:, 0]),
    "positions that are no number": tensor("positions", lambda value: value * float("nan")),
    "whole positions": tensor("positions", lambda value: value.int()),
    "double scales": tensor("log_scales", lambda value: value.double()),
    "complex scales": tensor("log_scales", lambda value: value.to(torch.complex64)),
    "few children": tensor("offsets", lambda value: value[:, :2]),
    "offsets of nothing": tensor("offsets", lambda value: torch.zeros(1).expand(10**9, 5, 3)),
    "another head": tensor("heads.opacity.0.weight", lambda value: value[:3]),
    "one feature": tensor("feature", lambda value: value[:, 0]),
    "a code that is no table": tensor("appearance", lambda value: torch.tensor(1.0)),
    "more than a field": checkpoint(lambda state: state["session"]["field"].update(evil=torch.zeros(3))),
}
OBJECTS = {
    "a pickle": file("instances.npz", PICKLE),
    "nothing": file("instances.npz", b""),
    "cut short": cut("instances.npz"),
    "a head that lies": head_that_lies,
    "too few": objects("anchor_instance", lambda value: value[:-1]),
    "one id twice": objects("instance_id", lambda value: value * 0 + 1),
    "negative ids": objects("instance_id", lambda value: -value),
    "an id beyond 16 bits": objects("instance_id", lambda value: value + 70_000),
    "an id beyond 32 bits": objects("instance_id", lambda value: value.astype(np.int64) + 2**40),
    "no scores": objects("score", lambda value: value * np.nan),
    "no boxes": objects("aabb", lambda value: value * np.inf),
    "a negative class": objects("class_id", lambda value: value * 0 - 5),
    "a thing and more": objects("is_thing", lambda value: value * 0 + 7),
    "few children": objects("child_instance", lambda value: value[:, :2]),
}


@pytest.fixture(autouse=True)
def encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    knows_colours(monkeypatch)


def refused_by(commands: list[str], spoil: Spoil, trained: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = own_copy(trained, folder)
    spoil(run)
    for command in commands:
        refused(COMMANDS[command](run), [], capsys)
    assert not (Path.cwd() / "pwned").exists()
    assert [path.name for path in folder.iterdir()] == ["run"]  # nothing was written elsewhere


@pytest.mark.parametrize("what", RUN_JSON)
def test_a_description_that_is_none(what: str, trained_tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    refused_by(list(COMMANDS), RUN_JSON[what], trained_tiny, tmp_path, capsys)


@pytest.mark.parametrize("what", CHECKPOINT)
def test_a_checkpoint_that_holds_something_else(
    what: str, trained_tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    refused_by(list(COMMANDS), CHECKPOINT[what], trained_tiny, tmp_path, capsys)


@pytest.mark.parametrize("what", OBJECTS)
def test_objects_that_are_none(what: str, trained_tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """`aggregate` is what mends them."""
    refused_by([name for name in COMMANDS if name != "aggregate"], OBJECTS[what], trained_tiny, tmp_path, capsys)


@pytest.mark.parametrize("measure", [1e30, 1e6])
@pytest.mark.parametrize("name", ["positions", "offsets", "log_scales", "quaternions", "embedding"])
def test_numbers_out_of_all_measure_do_no_harm(
    name: str, measure: float, trained_tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Refused, or left out where nothing can be drawn; never a traceback, and never more memory than there is."""
    run = own_copy(trained_tiny, tmp_path)
    tensor(name, lambda value: value * 0 + measure)(run)
    for command in COMMANDS.values():
        assert status(command(run)) in ((2,) if measure > 1e6 else (0, 2))
    assert "Traceback" not in capsys.readouterr().err


def status(arguments: list[str]) -> int | str | None:
    """What a command exits with."""
    try:
        main(arguments)
    except SystemExit as stopped:
        return stopped.code
    return 0
