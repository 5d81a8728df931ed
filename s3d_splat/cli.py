"""The command line: `s3d-splat COMMAND ...`. Commands load what they need when they run, so that `--help` stays fast."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, arg
from tyro.extras import SubcommandApp

from s3d_splat.cli_bench import bench_app
from s3d_splat.cli_edit import edit
from s3d_splat.cli_evaluate import Json, evaluate_app, report
from s3d_splat.cli_export import export
from s3d_splat.cli_query import query
from s3d_splat.cli_view import view
from s3d_splat.config import Config, automatic_preset, config_from_dict, load_preset
from s3d_splat.errors import S3DError
from s3d_splat.instances.options import InstanceOptions
from s3d_splat.prepare.options import PrepareOptions
from s3d_splat.synthetic.options import SynthOptions, parse_fault

SceneFolder = Annotated[Path, arg(metavar="SCENE")]
RunFolder = Annotated[Path, arg(metavar="RUN")]

DESCRIPTION = "Panoptic 3D scenes with Gaussian splatting: every object its own set of Gaussians, with one id."

log = logging.getLogger("s3d_splat")

_PREPARE = PrepareOptions()


def demo(out: Path = Path("out/demo"), json_output: Json = False) -> None:
    """The built-in room from nothing to the report: make, train, aggregate, render, evaluate."""
    from s3d_splat.pipeline import demo

    report(demo.demo(out, load_preset(automatic_preset()), _command()), json_output)
    if not json_output:
        print(f"report: {out / 'run' / 'report.html'}")


def synth(
    out: Annotated[Path, arg(metavar="OUT")],
    /,
    kind: Literal["scene", "capture"] = "scene",
    frames: int = 150,
    width: int = 320,
    height: int = 240,
    rooms: int = 1,
    seed: int = 0,
    fault: Annotated[tuple[str, ...], arg(metavar="NAME[=LEVEL] ...")] = (),
) -> None:
    """Write a built-in room with exact truth, as a scene folder or as a raw capture.

    Args:
        out: The folder to write; it must not exist yet.
        kind: A scene folder, or a raw capture in clusters for `prepare`.
        frames: Images on the path; every 8th is a test frame.
        width: Pixels.
        height: Pixels.
        rooms: More than one gives a corridor of rooms.
        seed: Draws the layout and everything random.
        fault: What to spoil in what is given for training (never in truth/): gauge, drift, pose-noise, depth-noise, jitter,
            drop, merge, split, renumber, renumber=frame, missing.
    """
    from s3d_splat.console import progress
    from s3d_splat.synthetic.generate import write_scene

    options = SynthOptions(kind, frames, width, height, rooms, seed, tuple(parse_fault(text) for text in fault))
    with progress("rendering the room") as advance:
        write_scene(out, options, advance)
    print(f"wrote {out}: {frames} frames of {width} x {height}")


def prepare(
    capture: Annotated[Path, arg(metavar="CAPTURE")],
    scene: SceneFolder,
    /,
    options: Annotated[PrepareOptions, arg(name="")] = _PREPARE,
    json_output: Json = False,
) -> None:
    """Make a scene folder of a capture: cameras, depth and masks brought into one world, with one id per object.

    The same command goes on where it stopped. SCENE/prepare_report.html shows what was done.

    Args:
        capture: A video, a folder of photos, or a data set: nerfstudio, COLMAP, ScanNet (also .sens), ScanNet++, Replica,
            7-Scenes, TUM RGB-D.
        scene: The scene folder to write; it must not exist yet.
    """
    from s3d_splat.prepare import stages

    report(stages.prepare(capture, scene, options), json_output)
    if not json_output:
        print(f"report: {scene / 'prepare_report.html'}\nnext: s3d-splat train {scene} RUN")


def _train_command(default: Config) -> Callable[..., None]:
    def train(
        scene: SceneFolder,
        run: RunFolder,
        /,
        preset: str = "auto",
        resume: Annotated[bool, FlagCreatePairsOff] = False,
        config: Annotated[Config, arg(name="")] = default,
    ) -> None:
        """Train a scene folder into a run folder and aggregate its instances; works without a GPU.

        Args:
            scene: A scene folder (`prepare` and `synth` write one).
            run: The run folder to write.
            preset: cpu, fast, gpu, paper, or auto (by what the machine has); every other flag overrides it.
            resume: Go on with the training that RUN holds, with its own configuration.
        """
        from s3d_splat.pipeline import train

        if resume and config != default:
            raise S3DError(
                "--resume was given together with other options",
                why="a training goes on with the configuration it began with",
                fix="leave the other options away, or train into another run folder",
            )
        if resume:
            train.resume_training(scene, run)
        else:
            train.train(scene, run, config, _command())
        print(f"wrote {run}; next: s3d-splat evaluate run {run}")

    return train


def _aggregate_command(default: InstanceOptions) -> Callable[..., None]:
    def aggregate(
        run: RunFolder,
        /,
        auto: Annotated[bool, FlagCreatePairsOff] = False,
        instances: Annotated[InstanceOptions, arg(name="")] = default,
    ) -> None:
        """Find the instances of a trained run again, with other settings and without training.

        Args:
            run: A trained run folder; its instances.npz is replaced. Options that are not given are the run's own.
            auto: Choose the feature threshold from the masks of the training views, though the run has a number.
        """
        from s3d_splat.pipeline import objects

        found = objects.aggregate(run, _with_chosen_threshold(instances, default) if auto else instances)
        print(f"{found.instance_id.numel()} instances in {run / 'instances.npz'}; next: s3d-splat evaluate run {run}")

    return aggregate


def _with_chosen_threshold(given: InstanceOptions, default: InstanceOptions) -> InstanceOptions:
    threshold = given.aggregation.feature_threshold
    if threshold not in (None, default.aggregation.feature_threshold):
        raise S3DError(
            f"--auto was given together with --aggregation.feature-threshold {threshold}",
            why="with --auto the threshold is chosen from the masks",
            fix="leave one of them away",
        )
    return replace(given, aggregation=replace(given.aggregation, feature_threshold=None))


def render(
    run: RunFolder, /, split: Literal["test", "train"] = "test", path: Literal["orbit"] | None = None, frames: int = 60
) -> None:
    """Render colour, depth, instances, semantics and panoptic images of a trained run.

    Args:
        run: A trained run folder.
        split: The frames whose cameras are used.
        path: Cameras on a path instead of those of a split.
        frames: Cameras on that path.
    """
    from s3d_splat.pipeline import views

    print(f"wrote {views.render(run, path or split, frames)}")


def build_app(default: Config) -> SubcommandApp:
    """All commands; `default` is the configuration that the flags of `train` and `aggregate` override."""
    app = SubcommandApp()
    app.command(demo)
    app.command(synth)
    app.command(prepare)
    app.command(_train_command(default))
    app.command(_aggregate_command(default.instances))
    app.command(render)
    app.command(query)
    app.command(edit)
    app.command(export)
    app.command(view)
    app.command(evaluate_app(), name="evaluate", help="Measure a run, or files, against truth.")
    app.command(bench_app(), name="bench", help="How fast this machine rasterizes and trains.")
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; exits 0 on success, 2 on what the user can mend, 1 on a bug."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Threads that spin while they wait slow everything else on a small machine; read when torch loads, which is later.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)
    try:
        build_app(_default_config(given)).cli(prog="s3d-splat", description=DESCRIPTION, args=given)
    except S3DError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _default_config(given: Sequence[str]) -> Config:
    """What flags start from: a preset for `train`, the run's own configuration for `aggregate`.

    torch is asked for a GPU only where the answer is needed.
    """
    if given and given[0] == "aggregate":
        return _run_config(given[1:])
    if not given or given[0] != "train" or "--resume" in given:
        return Config()
    named = [value for flag, value in zip(given, [*given[1:], ""], strict=True) if flag == "--preset"]
    named += [flag.removeprefix("--preset=") for flag in given if flag.startswith("--preset=")]
    if named and named[-1] != "auto":
        return load_preset(named[-1])
    if {"-h", "--help"} & set(given):
        return load_preset("cpu")
    preset = automatic_preset()
    config = load_preset(preset)
    found = "no CUDA device" if preset == "cpu" else "a CUDA device"
    log.info("%s: preset %s, %d steps unless flags say otherwise", found, preset, config.training.steps)
    return config


def _run_config(words: Sequence[str]) -> Config:
    """The configuration of the first run folder among the words of a command, if there is one."""
    for word in words:
        if not word.startswith("-") and (Path(word) / "run.json").is_file():
            from s3d_splat.io.run_folder import open_run

            return config_from_dict(dict(open_run(Path(word)).info.configuration))
    return Config()


def _command() -> str:
    return shlex.join(["s3d-splat", *sys.argv[1:]])
