"""Options of text encoders on a command line."""

import subprocess
import sys
from pathlib import Path

import tyro

from s3d_splat.priors.text.options import TextOptions


def test_a_command_line_fills_them() -> None:
    assert tyro.cli(TextOptions, args=[]) == TextOptions()
    line = "--encoder table --clip-model ViT-B-16-SigLIP2 --clip-weights w.pt --accept-non-commercial --embeddings t.npz"
    options = tyro.cli(TextOptions, args=line.split())
    assert options == TextOptions(
        "table", "ViT-B-16-SigLIP2", clip_weights=Path("w.pt"), accept_non_commercial=True, embeddings=Path("t.npz")
    )


def test_they_need_no_torch() -> None:
    code = "import sys, s3d_splat.priors.text.options; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
