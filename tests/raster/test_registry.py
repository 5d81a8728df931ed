"""The choice among rasterizers."""

import logging

import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.native import library
from s3d_splat.raster.options import RasterOptions
from s3d_splat.raster.registry import make_rasterizer


def test_auto_takes_the_fastest_that_works_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="s3d_splat"):
        rasterizer = make_rasterizer(RasterOptions())
    if not torch.cuda.is_available():
        assert rasterizer.name == ("cpu" if library.kernels() is not None else "reference")
    assert caplog.messages == [f"Rasterizer: {rasterizer.name} on {rasterizer.device}."]


def test_without_kernels_auto_is_the_reference_and_cpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "kernels", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert make_rasterizer(RasterOptions()).name == "reference"
    with pytest.raises(S3DError, match="'cpu' is not available") as error:
        make_rasterizer(RasterOptions("cpu"))
    assert "g++" in error.value.fix


def test_gsplat_without_cuda_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(S3DError, match="'gsplat' is not available") as error:
        make_rasterizer(RasterOptions("gsplat"))
    assert "CUDA" in error.value.why
