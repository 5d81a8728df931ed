"""Checkpoints: round trip, what may be in them, and that a kill or a damaged file never costs the one before."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import replacing, write_json
from s3d_splat.io.checkpoints import checkpoint_path, latest_checkpoint, load_checkpoint, save_checkpoint

ROOT = Path(__file__).parents[2]


def save_steps(folder: Path, *steps: int) -> None:
    for step in steps:
        save_checkpoint(checkpoint_path(folder, step), {"step": step, "weights": torch.full((50,), float(step))})


def test_round_trip(tmp_path: Path) -> None:
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    state = {
        "step": 7,
        "model": layer.state_dict(),
        "optimizer": optimizer.state_dict(),
        "generator": torch.Generator().manual_seed(5).get_state(),
        "nested": {"list": [1, 2.5, None, "text", True], "tuple": (1, 2)},
    }
    save_checkpoint(tmp_path / "step-7.pt", state)
    found = load_checkpoint(tmp_path / "step-7.pt")
    assert found["nested"] == state["nested"]
    assert torch.equal(found["generator"], state["generator"])
    assert torch.equal(found["model"]["weight"], layer.weight)
    assert torch.equal(found["optimizer"]["state"][0]["exp_avg"], optimizer.state_dict()["state"][0]["exp_avg"])


@pytest.mark.parametrize("value", [np.float64(1.0), np.zeros(2), Path("a"), {1, 2}, torch.float32, object()])
def test_only_what_can_be_loaded_again_is_saved(tmp_path: Path, value: Any) -> None:
    with pytest.raises(TypeError, match=r"state\['a'\]\[0\] is a"):
        save_checkpoint(tmp_path / "step-1.pt", {"a": [value]})
    assert list(tmp_path.iterdir()) == []


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    save_steps(tmp_path, 9, 10, 100)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-10.pt", "step-100.pt"]
    assert latest_checkpoint(tmp_path) == tmp_path / "step-100.pt"


def test_no_checkpoint_yet(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path) is None
    assert latest_checkpoint(tmp_path / "nowhere") is None
    with pytest.raises(S3DError, match=r"step-1.pt does not exist"):
        load_checkpoint(tmp_path / "step-1.pt")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_file_cut_short_is_passed_over(tmp_path: Path, share: float) -> None:
    save_steps(tmp_path, 1, 2)
    data = (tmp_path / "step-2.pt").read_bytes()
    (tmp_path / "step-2.pt").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(S3DError, match=r"step-2.pt is no readable checkpoint"):
        load_checkpoint(tmp_path / "step-2.pt")
    assert latest_checkpoint(tmp_path) == tmp_path / "step-1.pt"


def test_if_none_can_be_read_the_user_hears_of_it(tmp_path: Path) -> None:
    (tmp_path / "step-2.pt").write_bytes(b"junk")
    with pytest.raises(S3DError, match=r"step-2.pt is no readable checkpoint"):
        latest_checkpoint(tmp_path)


class Trap:
    """A pickle that would create a file if it were loaded without care."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, protocol=2))])
def test_nothing_is_unpickled(tmp_path: Path, save: Any) -> None:
    save(Trap(tmp_path / "trapped"), tmp_path / "step-1.pt")
    with pytest.raises(S3DError, match="is no readable checkpoint"):
        load_checkpoint(tmp_path / "step-1.pt")
    assert not (tmp_path / "trapped").exists()


def test_a_foreign_checkpoint(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(2)}, tmp_path / "step-1.pt")
    with pytest.raises(S3DError, match="it was not written by this version"):
        load_checkpoint(tmp_path / "step-1.pt")


def test_a_kill_inside_a_write(tmp_path: Path) -> None:
    save_steps(tmp_path, 1)
    code = """
import os, pathlib, signal, sys, torch
from s3d_splat.io.checkpoints import save_checkpoint
def die(value, path):
    pathlib.Path(path).write_bytes(b"the beginning")
    os.kill(os.getpid(), signal.SIGKILL)
torch.save = die
save_checkpoint(pathlib.Path(sys.argv[1]), {"step": 2})
"""
    child = subprocess.run([sys.executable, "-c", code, str(tmp_path / "step-2.pt")], cwd=ROOT, check=False)
    assert child.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2  # the checkpoint and what the kill left
    assert latest_checkpoint(tmp_path) == tmp_path / "step-1.pt"
    save_steps(tmp_path, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-1.pt", "step-3.pt"]


def test_a_full_disk_is_the_users_error(tmp_path: Path) -> None:
    save_steps(tmp_path, 1)
    code = """
import pathlib, resource, signal, sys, torch
from s3d_splat.errors import S3DError
from s3d_splat.io.checkpoints import save_checkpoint
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save_checkpoint(pathlib.Path(sys.argv[1]), {"weights": torch.zeros(100_000)})
except S3DError as error:
    print(error)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "step-2.pt")]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "cannot write" in child.stdout, child.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["step-1.pt"]


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"old": True})

    def fill() -> None:
        with replacing(tmp_path / "a.json") as temporary:
            temporary.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(S3DError, match=r"(?s)cannot write .*a.json.*No space left on device.*free disk space"):
        fill()
    assert (tmp_path / "a.json").read_text() == '{\n "old": true\n}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_json_has_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"psnr": float("nan")})
    assert list(tmp_path.iterdir()) == []
