"""How clean objects of the built-in room can be taken away: against the same room rendered without them.

Every object that a trained run has found is removed on its own, and the test views are rendered again. Inside the region
where the truth shows the object, the picture is compared with the truth of a room in which it never stood: PSNR, and the
gradient energy over that of the truth. Listed are also the Gaussians of other objects that the removal changed. What is
printed is Markdown.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from jaxtyping import Bool, Float
from torch import Tensor

from s3d_splat.editing.apply import apply
from s3d_splat.editing.operations import Remove
from s3d_splat.editing.values import EditableScene
from s3d_splat.io.atomic import write_text
from s3d_splat.io.observations import load_observation
from s3d_splat.io.results import write_colour_png
from s3d_splat.metrics.image import psnr
from s3d_splat.panoptic.render import render_panoptic
from s3d_splat.pipeline.edit import open_editable
from s3d_splat.pipeline.runs import TrainedRun, decode
from s3d_splat.synthetic.options import SynthOptions
from s3d_splat.synthetic.stage import Stage, make_stage

WALL = ("print", "clock", "large print", "light switch", "window", "curtain", "door")
COLUMNS = ("room", "object", "on", "pixels", "psnr", "psnr unfilled", "gradient", "changed %", "seconds")
MIN_PIXELS = 150  # over all test views
GOOD_PSNR, GOOD_GRADIENT, MOST_CHANGED = 20.0, 0.3, 0.01


@dataclass(frozen=True)
class Options:
    """What to measure."""

    runs: tuple[Path, ...]  # trained on built-in rooms without faults
    seeds: tuple[int, ...]  # of those rooms, in the same order
    write: Path | None = None  # a JSON file
    pictures: Path | None = None  # a folder for before, after and truth of each object
    unfilled: bool = False  # measure the plain removal too
    only: tuple[str, ...] = ()  # names of objects, all if empty


@dataclass(frozen=True)
class TestView:
    """A test frame of a run: what it shows, and which thing of the room each pixel shows."""

    index: int  # on the path
    things: np.ndarray  # truth ids
    predicted: np.ndarray  # ids of the run
    before: Float[Tensor, "h w 3"]


def main(options: Options) -> None:
    """Measure and print."""
    rows, plain = [], []
    for run, seed in zip(options.runs, options.seeds, strict=True):
        plain.append(plain_gradient(run, seed))
        for row in measured_room(run, seed, options):
            rows.append(row)
            print(table([row]).splitlines()[2], file=sys.stderr, flush=True)
    print(table(rows))
    print(summary(rows))
    print(f"\ngradient of the unedited pictures: {', '.join(f'{value:.2f}' for value in plain)}")
    if options.write is not None:
        write_text(
            options.write,
            json.dumps({"objects": rows, "by_kind": by_kind(rows), "gradient_unedited": plain}, indent=1) + "\n",
        )


def measured_room(run_folder: Path, seed: int, options: Options) -> Iterator[dict[str, Any]]:
    """A row for every object that the run has found and the test views show."""
    run, scene, around = open_editable(run_folder)
    stage, views = test_views(run, scene, seed)
    for thing, id in found_things(stage, views).items():
        name = stage.world.names[thing - 1]
        if options.only and name not in options.only:
            continue
        start = time.perf_counter()
        result = apply(scene, Remove((id,)), around)
        seconds = time.perf_counter() - start
        results = {"psnr": result.scene}
        if options.unfilled:
            results["psnr_unfilled"] = apply(scene, Remove((id,), fill=False), around).scene
        truth = make_stage(stage_options(run, seed), (thing,))
        row = figures(run, views, thing, truth, results, options.pictures and options.pictures / f"{seed}-{name}")
        kind = support_of(stage, thing)
        share = len(result.changed) / max(1, int((scene.instances.child_instance > 0).sum()))
        yield {"room": seed, "object": name, "id": id, "on": kind, **row, "changed": share, "seconds": seconds}


def plain_gradient(run_folder: Path, seed: int) -> float:
    """Gradient energy of the rendered test views over that of the truth, where nothing has been edited."""
    run, scene, _ = open_editable(run_folder)
    stage, views = test_views(run, scene, seed)
    energy = np.zeros(2)
    for view in views:
        truth = torch.from_numpy(stage.renderer.render(stage.poses[view.index]).image).float() / 255
        everywhere = torch.ones(truth.shape[:2], dtype=torch.bool)
        energy += gradient_energy(view.before, everywhere), gradient_energy(truth, everywhere)
    return float(energy[0] / energy[1])


def stage_options(run: TrainedRun, seed: int) -> SynthOptions:
    """The options that the run's scene was written with."""
    camera = run.scene.frames[0].camera
    return SynthOptions("scene", len(run.scene.frames), camera.width, camera.height, seed=seed)


def test_views(run: TrainedRun, scene: EditableScene, seed: int) -> tuple[Stage, list[TestView]]:
    """The room of a run and its test views; exits where the seed gives another room."""
    stage = make_stage(stage_options(run, seed))
    views = []
    for index, frame in enumerate(run.scene.frames):
        if frame.split != "test":
            continue
        rendered = stage.renderer.render(stage.poses[index])
        if not np.array_equal(load_observation(frame).image.numpy(), rendered.image):
            raise SystemExit(f"{run.scene.root} is not the room of seed {seed}")
        gaussians = decode(scene.field, frame.camera)
        shown = render_panoptic(
            gaussians, scene.instances.child_instance.reshape(-1), scene.instances, run.rasterizer, frame.camera
        )
        colour = run.rasterizer.render(gaussians, frame.camera).colour.detach().clamp(0, 1)
        views.append(TestView(index, rendered.instances, shown.instances.numpy(), colour))
    return stage, views


def found_things(stage: Stage, views: Sequence[TestView]) -> dict[int, int]:
    """Id of the run's object for each thing of the room whose pixels overlap with it by more than half."""
    things = np.concatenate([view.things.ravel() for view in views])
    ids = np.concatenate([view.predicted.ravel() for view in views])
    found = {}
    for thing in range(1, len(stage.world.names) + 1):
        if stage.world.names[thing - 1] in ("floor", "wall", "ceiling") or (things == thing).sum() < MIN_PIXELS:
            continue
        best = int(np.bincount(ids[things == thing]).argmax())
        union = ((things == thing) | (ids == best)).sum()
        if best and ((things == thing) & (ids == best)).sum() > 0.5 * union:
            found[thing] = best
    return found


def figures(
    run: TrainedRun,
    views: Sequence[TestView],
    thing: int,
    truth: Stage,
    results: Mapping[str, EditableScene],
    pictures: Path | None,
) -> dict[str, Any]:
    """PSNR and gradient energy over the pixels of all test views that show the thing."""
    pairs: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in results}
    energy = np.zeros(2)
    for view in views:
        region = torch.from_numpy(view.things == thing)
        if not region.any():
            continue
        camera = run.scene.frames[view.index].camera
        wanted = torch.from_numpy(truth.renderer.render(truth.poses[view.index]).image).float() / 255
        got = {}
        for name, scene in results.items():
            with torch.no_grad():
                got[name] = run.rasterizer.render(decode(scene.field, camera), camera).colour.clamp(0, 1)
            pairs[name].append((got[name][region], wanted[region]))
        energy += gradient_energy(got["psnr"], region), gradient_energy(wanted, region)
        if pictures is not None:
            strip = torch.cat([view.before, *got.values(), wanted], 1)
            write_colour_png(pictures.with_name(f"{pictures.name}-{view.index:05d}.png"), strip)
    quality = {name: psnr(*(torch.cat(side) for side in zip(*both, strict=True))) for name, both in pairs.items()}
    pixels = sum(len(got) for got, _ in pairs["psnr"])
    return {"pixels": pixels, **quality, "gradient": float(energy[0] / energy[1])}


def gradient_energy(image: Float[Tensor, "h w 3"], region: Bool[Tensor, "h w"]) -> float:
    """Sum of squared differences of neighbouring pixels, where both lie in the region."""
    down = (image[1:] - image[:-1])[region[1:] & region[:-1]]
    right = (image[:, 1:] - image[:, :-1])[region[:, 1:] & region[:, :-1]]
    return float(down.square().sum() + right.square().sum())


def support_of(stage: Stage, thing: int) -> str:
    """What a thing stands on or hangs on."""
    name = stage.world.names[thing - 1]
    if name.rstrip(" 0123456789") in WALL:
        return "wall"
    corners = stage.world.vertices[np.unique(stage.world.faces[stage.world.face_instance == thing])]
    if corners[:, 2].min() < 0.05:
        return "floor"
    return "ceiling" if corners[:, 2].max() > 2.4 else "furniture"


def by_kind(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Means, and how many objects reach what is asked for."""
    kinds = {"all": rows} | {
        kind: [row for row in rows if row["on"] == kind] for kind in dict.fromkeys(r["on"] for r in rows)
    }
    return {
        kind: {
            "objects": len(own),
            "psnr": float(np.mean([row["psnr"] for row in own])),
            "psnr_unfilled": _mean([row.get("psnr_unfilled") for row in own]),
            "psnr_reached": sum(row["psnr"] >= GOOD_PSNR for row in own),
            "gradient": float(np.median([row["gradient"] for row in own])),
            "gradient_reached": sum(abs(row["gradient"] - 1) <= GOOD_GRADIENT for row in own),
            "changed_most": max(row["changed"] for row in own),
            "seconds": float(np.mean([row["seconds"] for row in own])),
        }
        for kind, own in kinds.items()
        if own
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line for each object."""
    lines = [
        f"| {row['room']} | {row['object']} | {row['on']} | {row['pixels']} | {row['psnr']:.1f} "
        f"| {_shown(row.get('psnr_unfilled'))} | {row['gradient']:.2f} | {100 * row['changed']:.2f} | {row['seconds']:.1f} |"
        for row in rows
    ]
    return "\n".join([f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}", *lines, ""])


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line for each kind of support."""
    titles = (
        "on",
        "objects",
        "PSNR",
        "unfilled",
        ">= 20 dB",
        "gradient (median)",
        "within 30 %",
        "changed at most %",
        "seconds",
    )
    lines = [
        f"| {kind} | {own['objects']} | {own['psnr']:.1f} | {_shown(own['psnr_unfilled'])} | {own['psnr_reached']} "
        f"| {own['gradient']:.2f} | {own['gradient_reached']} | {100 * own['changed_most']:.2f} | {own['seconds']:.1f} |"
        for kind, own in by_kind(rows).items()
    ]
    return "\n".join([f"| {' | '.join(titles)} |", f"|{' --- |' * len(titles)}", *lines])


if __name__ == "__main__":
    main(tyro.cli(Options))
