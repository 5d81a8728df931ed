"""What every export format promises."""

import hashlib
import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.export.base import Exporter, TrainedScene
from s3d_splat.export.folder import list_files
from s3d_splat.export.options import ExportOptions, FormatName
from s3d_splat.export.registry import FORMATS, check_options, check_target, exporter
from s3d_splat.types import ClassInfo, Gaussians, InstanceSet
from tests.export.fabricated import RED, silent, tiny_trained

PACKAGES = {"spz": "gsply", "usd": "pxr"}  # what is not installed with the rest
HOSTILE = "../../etc/passwd\0<script>\n"


def _variant(name: FormatName) -> object:
    missing = name in PACKAGES and importlib.util.find_spec(PACKAGES[name]) is None
    return pytest.param(name, id=name, marks=pytest.mark.skipif(missing, reason=f"no {PACKAGES.get(name)}"))


VARIANTS = [_variant(name) for name in FORMATS]


@pytest.fixture(params=VARIANTS)
def name(request: pytest.FixtureRequest) -> FormatName:
    return request.param


@pytest.fixture(scope="module")
def trained() -> TrainedScene:
    return tiny_trained()


def written(name: FormatName, trained: TrainedScene, out: Path, options: ExportOptions = ExportOptions()) -> dict:  # noqa: B008
    """Write as the command does: a format of a folder gets one that is empty."""
    write: Exporter = exporter(name)
    if FORMATS[name].is_folder:
        out.mkdir()
    return write(trained, out, options, silent)


def digests(path: Path) -> dict[str, str]:
    files = [path] if path.is_file() else sorted(entry for entry in path.rglob("*") if entry.is_file())
    return {str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_it_writes_what_it_is_told_to_and_nothing_else(name: FormatName, trained: TrainedScene, tmp_path: Path):
    found = written(name, trained, tmp_path / "given")
    assert [path.name for path in tmp_path.iterdir()] == ["given"]
    assert (tmp_path / "given").is_dir() == bool(FORMATS[name].is_folder)
    assert digests(tmp_path / "given")
    assert all(isinstance(note, str) for note in found["notes"])
    if FORMATS[name].is_folder:
        list_files(tmp_path / "given", name)
    given = tmp_path / "given" if name != "splat" else (tmp_path / "given").rename(tmp_path / "given.splat")
    check_target(name, given)  # the next export takes its place


def test_the_same_scene_gives_the_same_files(name: FormatName, trained: TrainedScene, tmp_path: Path):
    for out in ("first", "second"):
        written(name, trained, tmp_path / out)
    if name not in PACKAGES:  # gzip writes the time into its head, USD numbers its files
        assert digests(tmp_path / "first") == digests(tmp_path / "second")


def test_no_argument_is_changed(name: FormatName, trained: TrainedScene, tmp_path: Path):
    before = {field: value.clone() for field, value in vars(trained.instances).items()}
    points = trained.scene.proxy.points.clone()
    written(name, trained, tmp_path / "out")
    assert all(torch.equal(value, before[field]) for field, value in vars(trained.instances).items())
    assert torch.equal(trained.scene.proxy.points, points)


def test_objects_without_classes_are_written(name: FormatName, tmp_path: Path):
    written(name, tiny_trained(classes=(), class_id=(0, 0, 0)), tmp_path / "out")
    assert digests(tmp_path / "out")


def test_a_scene_without_objects_is_written(name: FormatName, tmp_path: Path):
    trained = tiny_trained()
    columns = {field: value[:0] for field, value in vars(trained.instances).items()}
    child = torch.zeros_like(trained.instances.child_instance)
    columns |= {"anchor_instance": child[:, 0], "child_instance": child}
    found = written(name, replace(trained, instances=InstanceSet(**columns)), tmp_path / "out")
    assert found.get("objects", 0) == 0
    assert digests(tmp_path / "out")


def test_class_names_lead_nowhere(name: FormatName, tmp_path: Path):
    classes = (ClassInfo(1, HOSTILE, False), ClassInfo(5, "C:\\Windows\\..", True))
    (tmp_path / "inner").mkdir()
    written(name, tiny_trained(classes), tmp_path / "inner" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["inner"]
    assert [path.name for path in (tmp_path / "inner").iterdir()] == ["out"]
    for file in digests(tmp_path / "inner" / "out"):
        assert set(file) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-./")
        assert ".." not in file


def test_a_removed_object_is_gone(name: FormatName, tmp_path: Path):
    """An edited run keeps its Gaussians with an opacity of 0."""
    whole = tiny_trained()
    own = whole.instances.child_instance.reshape(-1) == RED

    def without(gaussians: Gaussians) -> Gaussians:
        return replace(gaussians, opacities=torch.where(own, 0.0, gaussians.opacities))

    found = written(name, tiny_trained(change=without), tmp_path / "out")
    if "objects" in found and name != "scannet":  # there, a point without splats takes the nearest anchor's object
        assert found["objects"] == 2


@pytest.mark.parametrize("name", [name for name in FORMATS if "ids" in FORMATS[name].takes and name not in PACKAGES])
def test_an_object_that_is_not_there_is_refused(name: FormatName, trained: TrainedScene, tmp_path: Path):
    with pytest.raises(S3DError, match="the run has no object 9"):
        written(name, trained, tmp_path / "out", ExportOptions(ids=(RED, 9)))


def test_options_of_other_formats_are_refused(name: FormatName):
    check_options(name, ExportOptions())
    other = {
        "ids": (1,),
        "sh_degree": 1,
        "colours": "instances",
        "instance_property": True,
        "views": 3,
        "split": "train",
        "truth": True,
        "points": Path("a.ply"),
        "voxel": 0.1,
        "mesh_file": "obj",
        "up": "y",
        "path": "train",
        "frames": 7,
        "fps": 5.0,
    }
    assert set(other) == set(vars(ExportOptions()))
    for field, value in other.items():
        options = replace(ExportOptions(), **{field: value})
        if field in FORMATS[name].takes:
            check_options(name, options)
        else:
            with pytest.raises(S3DError, match=f"--{field.replace('_', '-')} says nothing to the format {name}"):
                check_options(name, options)


def test_a_place_with_other_things_in_it_is_refused(name: FormatName, tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("years")
    (tmp_path / "file").write_text("years")
    place = tmp_path / "folder"
    with pytest.raises(S3DError, match=f"{place} is"):
        check_target(name, place)
    with pytest.raises(S3DError, match="is a file" if FORMATS[name].is_folder else "is no earlier export"):
        check_target(name, tmp_path / "file")
    check_target(name, tmp_path / "nowhere" / "yet")


@pytest.mark.parametrize("name", [name for name in FORMATS if FORMATS[name].is_folder])
def test_what_was_put_beside_an_export_is_not_lost(name: FormatName, trained: TrainedScene, tmp_path: Path):
    """Another scene's files in the same folder look like those of this format."""
    written(name, trained, tmp_path / "out")
    list_files(tmp_path / "out", name)
    for foreign in ("scene0011_00.txt", "scan_1.ply"):
        (tmp_path / "out" / foreign).write_text("years")
        with pytest.raises(S3DError, match="is not empty"):
            check_target(name, tmp_path / "out")
        (tmp_path / "out" / foreign).unlink()


def test_a_run_and_a_scene_are_not_written_over(name: FormatName, tmp_path: Path):
    (tmp_path / "run.json").write_text('{"format_version": 1}')
    (tmp_path / "transforms.json").write_text("{}")
    (tmp_path / "proxy.ply").write_bytes(b"ply\nformat ascii 1.0")
    for file in ("run.json", "proxy.ply"):
        with pytest.raises(S3DError, match=r"is no earlier export|is a file"):
            check_target(name, tmp_path / file)
