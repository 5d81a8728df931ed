"""`s3d-splat view`: what it says when it cannot show a run, and that it ends."""

import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from s3d_splat.cli import main
from tests.viewer.test_guard import free_port

pytest.importorskip("viser")


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What the command prints, which ends with status 2."""
    with pytest.raises(SystemExit) as ended:
        main(["view", *map(str, arguments)])
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert "run.json does not exist" in refused(capsys, tmp_path / "nothing")


def test_a_port_in_use(tiny_run: Path, capsys: pytest.CaptureFixture[str]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = refused(capsys, tiny_run, "--port", port)
    assert f"cannot listen on 127.0.0.1 port {port}" in told
    assert f"--port {port + 1}" in told


def test_no_viser(tiny_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "viser", None)
    assert "pip install 's3d-splat[viewer]'" in refused(capsys, tiny_run, "--port", free_port())


@pytest.mark.parametrize("size", [0, 20_000, -5])
def test_pictures_of_no_size(tiny_run: Path, capsys: pytest.CaptureFixture[str], size: int):
    assert "--height" in refused(capsys, tiny_run, "--height", size)


def test_it_serves_until_it_is_interrupted(tiny_run: Path):
    port = free_port()
    command = [sys.executable, "-c", "from s3d_splat.cli import main; main()", "view", str(tiny_run), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = next(line for line in process.stdout if "is shown at" in line)
        assert f"{tiny_run} is shown at http://127.0.0.1:{port}" in told
        assert b"<html" in urllib.request.urlopen(f"http://127.0.0.1:{port}").read()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
