"""The registry's torchvision beside a CPU-only torch."""

import os
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path

import pytest
import torch

from s3d_splat import torchvision_ops


@pytest.fixture
def defined(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The schemas that get defined, without defining them once more."""
    names: list[str] = []

    class Library:
        def __init__(self, namespace: str, kind: str) -> None:
            assert (namespace, kind) == ("torchvision", "FRAGMENT")

        def define(self, schema: str) -> None:
            names.append(schema)

    monkeypatch.setattr(torch.library, "Library", Library)
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None)
    return names


def pretend_torchvision(monkeypatch: pytest.MonkeyPatch, folder: Path, version: str | None) -> None:
    """Make torchvision look like a build of that version, or like no torchvision at all."""
    spec = None
    if version is not None:
        (folder / "version.py").write_text(f"__version__ = {version!r}\n")
        spec = util.spec_from_file_location("torchvision", folder / "__init__.py")
    monkeypatch.setattr(torchvision_ops.util, "find_spec", lambda name: spec)


@pytest.mark.parametrize("version", ["0.28.0+cu130", "0.28.0+rocm6.4"])
def test_a_gpu_build_gets_both_schemas(
    defined: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    pretend_torchvision(monkeypatch, tmp_path, version)
    torchvision_ops.define_missing_schemas()
    assert [schema.split("(")[0] for schema in defined] == ["nms", "qnms"]


@pytest.mark.parametrize("version", ["0.28.0", "0.28.0+cpu", None])
def test_other_builds_and_no_torchvision_are_left_alone(
    defined: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str | None
) -> None:
    pretend_torchvision(monkeypatch, tmp_path, version)
    torchvision_ops.define_missing_schemas()
    assert defined == []


@pytest.mark.parametrize("kind", ["cuda", "hip"])
def test_a_torch_with_gpu_support_is_left_alone(
    defined: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    pretend_torchvision(monkeypatch, tmp_path, "0.28.0+cu130")
    monkeypatch.setattr(torch.version, kind, "13.0")
    torchvision_ops.define_missing_schemas()
    assert defined == []


def imports_in_a_new_process(code: str, **environment: str) -> None:
    if util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    finished = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr


def test_torchvision_imports_after_the_schemas() -> None:
    code = "from s3d_splat.torchvision_ops import define_missing_schemas as f; f(); import torchvision.transforms"
    imports_in_a_new_process(code, TORCH_DEVICE_BACKEND_AUTOLOAD="0")  # without torch calling the entry point by itself


def test_torchvision_imports_where_the_package_is_installed() -> None:
    if not any(entry.value.startswith("s3d_splat.") for entry in metadata.entry_points(group="torch.backends")):
        pytest.skip("the package is not installed, only importable")
    imports_in_a_new_process("import torchvision.transforms")
