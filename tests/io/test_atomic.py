"""Files that are there whole or not at all."""

from __future__ import annotations

import gc
import os
import resource
import sys
from pathlib import Path

import numpy as np
import pytest

from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import write_npz, write_text


def test_arrays_come_back_and_objects_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    arrays = {"some": np.arange(6, dtype=np.int16).reshape(2, 3), "none": np.zeros((0, 4)), "word": np.array("x")}
    write_npz(path, **arrays)
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) == set(arrays)
        for name, array in arrays.items():
            assert np.array_equal(file[name], array)
            assert file[name].dtype == array.dtype
    with pytest.raises(ValueError, match="Object arrays"):
        write_npz(path, some=np.array([object()]))
    with np.load(path) as file:
        assert set(file.files) == set(arrays)


def test_a_file_that_cannot_be_finished_leaves_the_old_one_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, unheard = tmp_path / "a.npz", []
    path.write_bytes(b"old")
    monkeypatch.setattr(sys, "unraisablehook", unheard.append)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(S3DError, match=r"cannot write .*a\.npz"):
            write_npz(path, noise=np.random.default_rng(0).random(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    gc.collect()
    assert unheard == []
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.npz"]


def test_names_that_are_no_utf8_do_not_stop_a_report(tmp_path: Path) -> None:
    write_text(tmp_path / "report.html", f"Küche, {os.fsdecode(b'K' + bytes([0xFC]) + b'che')}")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "Küche, K\\udcfcche"
