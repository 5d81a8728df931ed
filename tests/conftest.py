"""Run-time shape checks for the whole package, and where the real data is."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook(["s3d_splat", "nerfstudio_plugin"], "beartype.beartype")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that the environment variable S3D_DATA names; the test is skipped without it."""
    folder = os.environ.get("S3D_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("S3D_DATA does not name a folder with real data")
    return Path(folder)
