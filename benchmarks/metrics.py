"""How long the metrics take on files of the size that benchmarks have: `python benchmarks/metrics.py`.

Writes random scenes into a temporary folder, then times whole commands: `s3d-splat evaluate instances` under the ScanNet
protocol (5 scenes of 200,000 points with 200 predictions each), `s3d-splat evaluate panoptic` (scene PQ of 200 frames of
512 x 512). The table goes to standard error, JSON to standard output.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SCENES, POINTS, PREDICTIONS = 5, 200_000, 200
FRAMES, SIDE, SEGMENTS = 200, 512, 60
SCANNET_IDS = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39)


def write_points(folder: Path) -> tuple[Path, Path]:
    """Scenes whose instances are runs of points; the prediction moves the borders. Returns the folders (pred, truth)."""
    numbers = np.random.default_rng(0)
    pred, truth = folder / "pred", folder / "truth"
    for side in (pred, truth):
        side.mkdir(parents=True)
    for scene in range(SCENES):
        class_of = numbers.choice(SCANNET_IDS, PREDICTIONS + 1)
        for side in (truth, pred):
            borders = np.sort(numbers.choice(POINTS, PREDICTIONS - 1, replace=False)) if side is truth else borders + 40
            instance = np.searchsorted(borders, np.arange(POINTS)) + 1
            scores = {"instance_id": np.arange(1, PREDICTIONS + 1), "score": numbers.random(PREDICTIONS)}
            np.savez(side / f"scene{scene}.npz", instance=instance, semantic=class_of[instance], **scores)
    return pred, truth


def write_images(folder: Path) -> tuple[Path, Path]:
    """Frames of upright stripes that move from frame to frame; the prediction is two pixels off. Returns (pred, truth)."""
    pred, truth = folder / "pred", folder / "truth"
    columns = np.arange(SIDE)
    for side, shift in ((pred, 2), (truth, 0)):
        for kind in ("instances", "semantics"):
            (side / kind).mkdir(parents=True)
        for frame in range(FRAMES):
            instance = (columns + frame + shift) * SEGMENTS // (SIDE + FRAMES) + 1
            for kind, row in (("instances", instance), ("semantics", instance % 20 + 1)):
                Image.fromarray(np.tile(row.astype(np.uint16), (SIDE, 1))).save(side / kind / f"{frame:04d}.png")
    return pred, truth


def seconds(what: str, pred: Path, truth: Path, protocol: str) -> float:
    """Wall-clock time of one `s3d-splat evaluate` command, start-up and reading included."""
    code = "from s3d_splat.cli import main; main()"
    words = ["evaluate", what, "--pred", str(pred), "--truth", str(truth), "--protocol", protocol, "--json"]
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Time the commands and print the figures."""
    with tempfile.TemporaryDirectory() as name:
        points, images = write_points(Path(name) / "points"), write_images(Path(name) / "images")
        scannet = f"scannet, {SCENES} scenes x {POINTS:,} points x {PREDICTIONS} predictions"
        panoptic = f"scene PQ, {FRAMES} frames of {SIDE} x {SIDE}"
        figures = {
            scannet: seconds("instances", *points, "scannet"),
            panoptic: seconds("panoptic", *images, "scene"),
        }
    for label, value in figures.items():
        print(f"{label}: {value:.1f} s", file=sys.stderr)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
