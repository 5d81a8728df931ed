"""A capture whose masks are merged with their neighbours and broken into pieces becomes a scene of many objects."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from s3d_splat.cli import main
from s3d_splat.io.observations import load_observation
from s3d_splat.io.scene import load_scene


def test_objects_do_not_collapse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture, scene = str(tmp_path / "capture"), tmp_path / "scene"
    size = ("--kind", "capture", "--frames", "12", "--width", "96", "--height", "72")
    main(["synth", capture, *size, "--fault", "gauge", "merge", "split"])
    main(["prepare", capture, str(scene)])
    capsys.readouterr()
    idf1 = {}
    for name, masks in (("given", tmp_path / "capture" / "clusters" / "0"), ("prepared", scene)):
        main(["evaluate", "tracks", "--pred", str(masks), "--truth", str(scene / "truth"), "--json"])
        idf1[name] = json.loads(capsys.readouterr().out)["idf1"]
    found = load_scene(scene)
    assert {entry.is_thing for entry in found.instances} == {True, False}
    for frame in found.frames:
        labels = load_observation(frame).instances
        assert labels is not None
        sizes = np.bincount(labels.numpy().ravel())
        assert np.count_nonzero(sizes[1:]) >= 8, frame.file_path  # so many things and walls are in view everywhere
        assert sizes[1:].max() < 0.8 * sizes.sum(), frame.file_path
    assert idf1["prepared"] > 2 * idf1["given"]  # no id of a given mask occurs twice
