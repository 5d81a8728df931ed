"""What `s3d-splat prepare` recovers, from commands alone: `python benchmarks/alignment.py QUESTION --out DIR [--data DATA]`.

Questions: `corridor` (built-in rooms whose clusters disagree in gauge and ids, against the same rooms without fault, and
with one part of the method left out at a time), `redkitchen`, `fox`, `shelf` and `kitchen` (real captures under DATA),
`growth` (processor time and memory for 250 to 2,000 images). Whatever DIR holds already is not made again. Rows are printed
and written to benchmarks/alignment.json.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import captures
import numpy as np
import tyro

from s3d_splat.io.atomic import write_json
from s3d_splat.io.images import read_counts

RESULTS = Path(__file__).with_name("alignment.json")
CORRIDOR = ["--frames", "600", "--rooms", "3", "--seed", "0"]
FAULTS = ["gauge", "drift", "depth-noise", "renumber", "jitter", "drop"]
VARIANTS = {
    "prepared": [],
    "ids by 2D overlap only": ["--alignment.identity.overlap", "2d"],
    "ids by 3D overlap only": ["--alignment.identity.overlap", "3d"],
    "without loop closure": ["--alignment.poses.no-loops"],
}
_WATCH = """
import json, resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss]))
sys.exit(code)
"""
Row = dict[str, Any]


def splat(*words: object, json_output: bool = False) -> Row:
    """Run one `s3d-splat` command; returns its JSON object, an empty one if it prints none."""
    command = _command(words)
    if not json_output:
        subprocess.run(command, check=True, stdout=sys.stderr)
        return {}
    done = subprocess.run([*command, "--json"], check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def once(folder: Path, *words: object) -> Path:
    """A command that makes `folder`, unless it is there."""
    if not folder.exists():
        splat(*words)
    return folder


def poses(scene: Path, truth: Path) -> Row:
    """Camera figures, and the error of the path as a share of its extent (diagonal of the box of true centres)."""
    row = splat("evaluate", "poses", "--pred", scene / "transforms.json", "--truth", truth, json_output=True)
    frames = json.loads(truth.read_text())["frames"]
    centres = np.array([frame["transform_matrix"] for frame in frames])[:, :3, 3]
    extent = float(np.linalg.norm(np.ptp(centres, axis=0)))
    return {"auc30": row["auc30"], "ate": row["ate"], "ate_of_extent": row["ate"] / extent}


def tracks(scene: Path, truth: Path) -> Row:
    """How well one id stays with one object over the images."""
    row = splat("evaluate", "tracks", "--pred", scene, "--truth", truth, json_output=True)
    return {"idf1": row["idf1"], "id_kept": row["id_kept"]}


def trained(scene: Path, run: Path, *flags: str) -> Row:
    """Train a scene with the shipped preset and measure it."""
    if not (run / "instances.npz").exists():
        splat("train", scene, run, *(["--resume"] if run.exists() else flags))
    if not (run / "metrics.json").exists():
        splat("evaluate", "run", run)
    figures = json.loads((run / "metrics.json").read_text())
    return {key: figures.get(key) for key in ("psnr", "pq", "pq_strict", "ap", "ap50", "semantic_miou")}


def corridor(out: Path, data: Path | None) -> dict[str, Row]:
    """Rooms along a corridor; the ceiling of idf1 is masks with jittered borders, none dropped, with true ids."""
    clean = once(out / "clean", "synth", out / "clean", *CORRIDOR)
    jitter = once(out / "jitter", "synth", out / "jitter", *CORRIDOR, "--fault", "jitter")
    capture = once(out / "capture", "synth", out / "capture", "--kind", "capture", *CORRIDOR, "--fault", *FAULTS)
    rows = {"clean scene": trained(clean, out / "clean-run"), "ceiling": tracks(jitter, jitter / "truth")}
    for number, (name, flags) in enumerate(VARIANTS.items()):
        scene = once(out / f"scene-{number}", "prepare", capture, out / f"scene-{number}", *flags)
        truth = scene / "truth"
        rows[name] = poses(scene, truth / "transforms.json") | tracks(scene, truth)
    rows["prepared"] |= trained(out / "scene-0", out / "run-0")
    return rows


def redkitchen(out: Path, data: Path | None) -> dict[str, Row]:
    """Clusters of 100 images posed by structure from motion, depth in a unit of their own, outliers where they overlap."""
    capture = out / "capture"
    if not capture.exists():
        captures.write_unposed_kitchen(_needed(data) / "redkitchen", capture, seed=0)
    rows = {}
    for name in ("prepared", "without loop closure"):
        scene = out / name.replace(" ", "-")
        once(scene, "prepare", capture, scene, "--geometry", "colmap", "--masks", "felzenszwalb", *VARIANTS[name])
        rows[name] = poses(scene, capture / "published.json")
    return rows


def fox(out: Path, data: Path | None) -> dict[str, Row]:
    """Fifty photos, posed from nothing but themselves."""
    source = _needed(data) / "fox"
    scene = once(out / "scene", "prepare", source, out / "scene", "--geometry", "colmap")
    truth = out / "published.json"
    meta = json.loads((source / "transforms.json").read_text())
    there = [frame for frame in meta["frames"] if (source / frame["file_path"]).exists()]
    write_json(truth, meta | {"frames": there})
    registered = len(json.loads((scene / "transforms.json").read_text())["frames"])
    return {"prepared": {"registered": registered, "of": len(there)} | poses(scene, truth)}


def shelf(out: Path, data: Path | None) -> dict[str, Row]:
    """A warehouse shelf: how well the four objects are found in views left out of training."""
    source = _needed(data) / "apc_shelf"
    words = ["--test-every", "5", "--geometry", "colmap"]  # the middle of each row of views; the arm's poses are 2 px off
    scene = once(out / "scene", "prepare", source, out / "scene", *words)
    row = trained(scene, out / "run", "--training.steps", "1500")  # images are few, and four times as large as elsewhere
    names = json.loads((scene / "transforms.json").read_text())["test_filenames"]
    pairs = [_label_pair(out / "run", source, Path(name).stem) for name in names]
    rendered, given = (np.concatenate([pair[k].ravel() for pair in pairs]) for k in (0, 1))
    for label in (48, 114, 132, 144):
        ious = [_iou(rendered == found, given == label) for found in np.unique(rendered) if found]
        row[f"iou_{label}"] = max(ious, default=0.0)
    return {"prepared": row}


def kitchen(out: Path, data: Path | None) -> dict[str, Row]:
    """A labelled kitchen, as it is and with ids drawn anew every 20 images."""
    source = _needed(data) / "kitchen_scene"
    rows = {}
    for name, period in (("ids as given", 0), ("ids new every 20 images", 20)):
        folder = out / f"period-{period}"
        if not (folder / "capture").exists():
            captures.write_renumbered_scene(source, folder / "capture", period=period, seed=0)
        scene = once(folder / "scene", "prepare", folder / "capture", folder / "scene")
        rows[name] = tracks(scene, scene / "truth") | trained(scene, folder / "run")
    return rows


def growth(out: Path, data: Path | None) -> dict[str, Row]:
    """Processor time for an image and the most memory of the process, over the length of the capture."""
    words = ["--kind", "capture", "--frames", "2000", "--rooms", "4", "--seed", "0", "--fault", *FAULTS]
    whole = once(out / "capture", "synth", out / "capture", *words)
    rows = {}
    for count in (250, 500, 1000, 2000):
        part = out / f"capture-{count}"
        if not part.exists():
            captures.write_beginning(whole, part, count)
        scene, figures = out / f"scene-{count}", out / f"cost-{count}.json"
        if not figures.exists():
            write_json(figures, _measured(["prepare", part, scene]))
        row = json.loads(figures.read_text())
        images = len(json.loads((scene / "transforms.json").read_text())["frames"])
        rows[str(images)] = {"cpu_ms_per_image": 1e3 * row["cpu_seconds"] / images, "memory_mb": row["memory_mb"]}
    return rows


QUESTIONS: dict[str, Callable[[Path, Path | None], dict[str, Row]]] = {
    question.__name__: question for question in (corridor, redkitchen, fox, shelf, kitchen, growth)
}


def main(
    question: Literal["corridor", "redkitchen", "fox", "shelf", "kitchen", "growth"], /, out: Path, data: Path | None = None
) -> None:
    """Answer one question.

    Args:
        question: What to measure.
        out: Folder for captures, scenes and runs.
        data: Folder with the real captures redkitchen, fox, apc_shelf and kitchen_scene.
    """
    rows = QUESTIONS[question](out / question, data)
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    write_json(RESULTS, known | {question: rows})
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    print("| " + " | ".join([question, *columns]) + " |")
    print("|---|" + "---:|" * len(columns))
    for name, row in rows.items():
        print("| " + " | ".join([name, *(_shown(row.get(column)) for column in columns)]) + " |")


def _needed(data: Path | None) -> Path:
    if data is None:
        sys.exit("this question is about real captures: name their folder with --data")
    return data


def _measured(words: list[object]) -> Row:
    """Processor time and peak memory of a command: those of the one child of a small process, for a new process inherits
    the peak of the one that starts it."""
    watched = [sys.executable, "-c", _WATCH, *_command(words)]
    done = subprocess.run(watched, check=True, stdout=subprocess.PIPE, text=True)
    seconds, kibibytes = json.loads(done.stdout)
    return {"cpu_seconds": seconds, "memory_mb": kibibytes * 1024 / 1e6}


def _command(words: Sequence[object]) -> list[str]:
    return [sys.executable, "-c", "from s3d_splat.cli import main; main()", *map(str, words)]


def _label_pair(run: Path, source: Path, stem: str) -> tuple[np.ndarray, np.ndarray]:
    """Rendered and given labels of a view of the shelf."""
    rendered = read_counts(run / "renders" / "test" / "instances" / f"{stem}.png", "instances", where=stem)
    given = read_counts(source / "segm" / f"{stem.removesuffix('.color')}.segm.png", "instances", where=stem)
    return rendered, given


def _iou(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / max(1, (first | second).sum()))


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    tyro.cli(main)
