"""Imports run one way; what is slow to import stays out of the command line's start."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "s3d_splat"

# Lowest first. Rooms of one line do not import each other. `native` is the C++ that rooms above it call.
LAYERS: tuple[frozenset[str], ...] = tuple(
    frozenset(line.split())
    for line in (
        "s3d_splat errors torchvision_ops console configs",
        "types",
        "geometry native",
        "executors io priors raster metrics",
        "synthetic alignment bundle scaffold instances",
        "training panoptic",
        "evaluation",
        "editing export report query",
        "config",
        "pipeline prepare",
        "ask",
        "viewer bench",
        "cli_evaluate",
        "cli_bench cli_edit cli_export cli_query cli_view",
        "nerfstudio_plugin cli",
    )
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}


def room_of(module: str) -> str | None:
    """The room that a dotted module name belongs to; None for other packages."""
    parts = module.split(".")
    if parts[0] == "nerfstudio_plugin":
        return "nerfstudio_plugin"
    if parts[0] != "s3d_splat":
        return None
    return parts[1] if len(parts) > 1 else "s3d_splat"


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source: str, module: str, is_package: bool) -> Iterator[str]:
    """Every module that a source file imports, wherever in the file, as far down as the names tell."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source, filename=module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            if (
                start == "s3d_splat"
            ):  # `from s3d_splat import io` reaches a room, `from s3d_splat import __version__` does not
                yield from (f"s3d_splat.{alias.name}" if alias.name in LEVEL else start for alias in node.names)
            else:
                yield start


def violations(source: str, module: str, is_package: bool = False) -> list[str]:
    """What is wrong with the imports of one source file."""
    own = room_of(module)
    if own not in LEVEL:
        return [f"{module}: room {own} has no place in LAYERS"]
    found = []
    for imported in imports_of(source, module, is_package):
        if imported.split(".")[0] == "nerfstudio" and own != "nerfstudio_plugin":
            found.append(f"{module} imports {imported}: only nerfstudio_plugin may")
        room = room_of(imported)
        if room is None or room == own:
            continue
        if room not in LEVEL:
            found.append(f"{module} imports {imported}: room {room} has no place in LAYERS")
        elif (own, room) != ("cli", "nerfstudio_plugin") and LEVEL[room] >= LEVEL[own] and LEVEL[own] > 0:
            found.append(f"{module} imports {imported}: {own} is not above {room}")
    return found


def sources() -> list[Path]:
    return sorted([*PACKAGE.rglob("*.py"), *(ROOT / "nerfstudio_plugin").rglob("*.py")])


def test_imports_run_one_way() -> None:
    found = [
        message
        for path in sources()
        for message in violations(path.read_text(), module_name(path, ROOT), path.name == "__init__.py")
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("s3d_splat.io.scene", "from s3d_splat.training.step import step"),
        ("s3d_splat.io.scene", "import s3d_splat.raster"),
        ("s3d_splat.io.scene", "from s3d_splat import metrics"),
        ("s3d_splat.io.scene", "from ..metrics import image"),
        ("s3d_splat.io.scene", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from s3d_splat.cli import main"),
        ("s3d_splat.io.scene", "def late():\n    import s3d_splat.viewer"),
        ("s3d_splat.viewer.page", "import nerfstudio_plugin.config"),
        ("s3d_splat.cli", "import nerfstudio.plugins"),
        ("s3d_splat.types", "from s3d_splat.geometry import cameras"),
        ("s3d_splat.new_room.thing", ""),
    ],
)
def test_the_check_finds(module: str, source: str) -> None:
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("s3d_splat.io.scene", "from s3d_splat.geometry import cameras\nfrom .ply import read_proxy\nimport torch"),
        ("s3d_splat.io.scene", "from s3d_splat import __version__"),
        ("s3d_splat.cli", "import nerfstudio_plugin.config"),
        ("nerfstudio_plugin.model", "import nerfstudio.models.base_model\nfrom s3d_splat.training import step"),
    ],
)
def test_the_check_allows(module: str, source: str) -> None:
    assert violations(source, module) == []


def test_rooms_import_nothing_by_themselves() -> None:
    """An `__init__.py` that imports would make every `--help` pay for it."""
    for path in PACKAGE.rglob("__init__.py"):
        assert not list(imports_of(path.read_text(), module_name(path, ROOT), True)), path


def test_the_command_line_starts_without_torch() -> None:
    if importlib.util.find_spec("s3d_splat.cli") is None:
        pytest.skip("the command line is not part of this installation")
    code = "import s3d_splat.cli, sys; sys.exit('torch' in sys.modules or 'nerfstudio' in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
