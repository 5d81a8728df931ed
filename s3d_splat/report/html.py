"""The report of a run: one HTML file that opens offline, complete without scripts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import write_text
from s3d_splat.report.collect import Findings, collect
from s3d_splat.report.curves import curve_svg, scores_svg, stage_marks, training_curves
from s3d_splat.report.headline import headline_html, masked, summary_sentence, unmeasured
from s3d_splat.report.page import chart_grid, contents, facts, page, remarks, section
from s3d_splat.report.pictures import COLOUR_FULL_SCALE, DEPTH_FULL_SCALE, UNLABELLED, WRONG, Comparison, Picture, compare
from s3d_splat.report.tables import chip, classes_table, objects_table, surplus_table, views_table
from s3d_splat.report.views import View, scored_views, spread, worst
from s3d_splat.types import Scene

SPREAD_VIEWS = 6
WORST_VIEWS = 3  # by PSNR, and as many by PQ
SECTIONS = (
    ("numbers", "Results"),
    ("run", "Run"),
    ("views", "Views"),
    ("worst", "Worst"),
    ("objects", "Objects"),
    ("classes", "Classes"),
    ("training", "Training"),
)


def write_report(run_folder: Path, scene: Scene) -> Path:
    """Write RUN/report.html from what the run folder holds, and return its path.

    The page says what is missing instead of failing: metrics.json, the training log, instances.npz and any rendered picture
    may be absent or damaged.

    Raises:
        S3DError: the run folder does not exist or cannot be written, or an image of a test view of the scene cannot be read.
    """
    if not run_folder.is_dir():
        raise S3DError(f"{run_folder} is no folder", why="a report describes a run folder", fix="name the folder of a run")
    findings = collect(run_folder, scene)
    path = findings.folder.report
    write_text(path, report_html(findings, scene))
    return path


def report_html(findings: Findings, scene: Scene) -> str:
    """The whole page."""
    views = scored_views(scene, findings.views)
    chosen = spread(views, SPREAD_VIEWS)
    name = escape("/".join(findings.folder.root.resolve().parts[-2:]))
    body = [
        f"<header><h1>{name}</h1><p>{escape(summary_sentence(findings))}</p>{contents(SECTIONS)}</header>",
        section("numbers", "Results", headline_html(findings) + _remarks(findings)),
        section("run", "What was run", _what_was_run(findings, scene, len(views))),
        section("views", "Test views along the path", _spread_views(chosen, findings, scene)),
        section("worst", "Worst test views", _worst_views(views, chosen, findings, scene)),
        section("objects", "Objects", _objects(findings)),
        section("classes", "Classes", _classes(findings)),
        section("training", "Training", _training(findings)),
    ]
    return page(f"{name}: s3d-splat report", "\n".join(body))


def _remarks(findings: Findings) -> str:
    return remarks([*findings.remarks, *masked(findings), *unmeasured(findings)])


def _what_was_run(findings: Findings, scene: Scene, test_views: int) -> str:
    info = findings.folder.info
    stages = stage_marks(findings.log)
    values = {
        "Scene": info.scene or str(scene.root),
        "Frames": f"{len(scene.frames) - test_views} for training, {test_views} for testing",
        "Command": " ".join(info.command) or "not recorded",
        "Device": info.device or "not recorded",
        "Rasterizer": info.rasterizer or "not recorded",
        "Stages": ", ".join(f"{mark.label} from step {mark.x:,.0f}" for mark in stages) or "not recorded",
        "Versions": ", ".join(f"{key} {value}" for key, value in info.versions.items()) or "not recorded",
    }
    whole = escape(json.dumps(info.configuration, indent=1, ensure_ascii=False, default=str))
    folded = f"<details><summary>Whole configuration</summary><pre>{whole}</pre></details>" if info.configuration else ""
    return facts(values) + folded


def _spread_views(views: Sequence[View], findings: Findings, scene: Scene) -> str:
    if not views:
        return '<p class="none">The scene has no test views.</p>'
    return _legend() + "".join(_view(view, "", findings, scene) for view in views)


def _legend() -> str:
    """How to read the pictures."""
    wrong, unlabelled = (f"rgb({red},{green},{blue})" for red, green, blue in (WRONG, UNLABELLED))
    entries = (
        "<b>Instances, truth</b>: the colours of the predictions that match, so that equal colours mean the same object;"
        f" {chip(0)}missed.",
        '<b>Depth</b>: near <i class="ramp viridis"></i> far, one range for truth and rendered.',
        '<b>Difference of colour and depth</b>: none <i class="ramp inferno"></i>'
        f" {COLOUR_FULL_SCALE:.0%} of the colour range, {DEPTH_FULL_SCALE:g} m of depth, or more; grey: no depth.",
        f'<b>Difference of labels</b>: <i class="chip" style="background:{wrong}"></i>another object, or another class;'
        f' <i class="chip" style="background:{unlabelled}"></i>left unlabelled; darkened where the truth has no label.',
        "Click a picture to enlarge it, and again for truth, rendered and difference in turn.",
    )
    items = "".join(f"<li>{entry}</li>" for entry in entries)
    return f'<ul class="legend">{items}</ul>'


def _worst_views(views: Sequence[View], chosen: Sequence[View], findings: Findings, scene: Scene) -> str:
    bad = worst(views, WORST_VIEWS)
    if not bad:
        return '<p class="none">Not measured: there are no scores of single views.</p>'
    above = {view.name for view in chosen}
    charts = [
        (title, scores_svg([view.score for view in views], score, title))
        for title, score in (("PSNR (dB)", lambda one: one.psnr), ("PQ", lambda one: one.pq))
    ]
    parts = [
        chart_grid(
            [(title, "test views in the order of the path; line: mean, orange: worst", svg) for title, svg in charts if svg]
        )
    ]
    for entry in bad:
        reasons = ", ".join(entry.reasons)
        if entry.view.name in above:
            name = escape(entry.view.name)
            parts.append(f'<p class="again"><a href="#view-{name}">{name}</a> ({reasons}) is shown above.</p>')
        else:
            parts.append(_view(entry.view, reasons, findings, scene))
    shown = frozenset(above | {entry.view.name for entry in bad})
    parts.append(f"<details><summary>All test views</summary>{views_table(views, shown)}</details>")
    return "".join(parts)


def _view(view: View, reasons: str, findings: Findings, scene: Scene) -> str:
    scores = (
        ("PSNR", view.score.psnr, ".2f", " dB"),
        ("SSIM", view.score.ssim, ".3f", ""),
        ("PQ", view.score.pq, ".3f", ""),
    )
    written = " · ".join(f"{name} {value:{form}}{unit}" for name, value, form, unit in scores if value is not None)
    label = f' <span class="warn">{reasons}</span>' if reasons else ""
    name = escape(view.name)
    kinds = "".join(_kind(name, comparison) for comparison in compare(view, scene.root, findings.folder, findings.matches))
    title = f'<h3>{name}{label} <span class="soft">{written or "scores not measured"}</span></h3>'
    return f'<article class="view" id="view-{name}">{title}<div class="pictures">{kinds}</div></article>'


def _kind(view: str, comparison: Comparison) -> str:
    named = (("truth", comparison.truth), ("rendered", comparison.rendered), ("difference", comparison.difference))
    figures = "".join(_figure(view, comparison.title, source, picture) for source, picture in named)
    return f'<div class="kind">{figures}</div>'


def _figure(view: str, title: str, source: str, picture: Picture) -> str:
    note = escape(picture.note)
    if picture.uri is None:
        return f'<figure class="absent"><div>{note}</div><figcaption><b>{title}</b> {source}</figcaption></figure>'
    caption = f"<b>{title}</b> {source}" + (f' <span class="soft">{note}</span>' if note else "")
    alt = f"{view}, {title.lower()}, {source}"
    return f'<figure><img loading="lazy" src="{picture.uri}" alt="{alt}"><figcaption>{caption}</figcaption></figure>'


def _objects(findings: Findings) -> str:
    if not findings.objects:
        return '<p class="none">Not measured: the objects were not compared with labelled points of the scene.</p>'
    missed = sum(entry.matched_id == 0 for entry in findings.objects)
    extra = findings.surplus
    counts = f"{len(findings.objects)} true, {missed} missed; {len(findings.predictions)} predicted, {len(extra)} surplus."
    note = "Found: a prediction with IoU above .5 over all labelled points. The worst first; click a heading to sort."
    parts = [f'<p>{counts} <span class="soft">{note}</span></p>', objects_table(findings)]
    if extra:
        about = "Predictions that match no true object above IoU .5."
        parts.append(f'<h3>Surplus predictions</h3><p class="soft">{about}</p>{surplus_table(findings)}')
    return "".join(parts)


def _classes(findings: Findings) -> str:
    if not findings.classes:
        return '<p class="none">Not measured: there is no panoptic quality per class.</p>'
    note = "Scene PQ of each class over all test views; counts are segments."
    return f'<p class="soft">{note}</p>{classes_table(findings.classes)}'


def _training(findings: Findings) -> str:
    curves = training_curves(findings.log)
    if not curves:
        return '<p class="none">There are no training curves: the run has no training log.</p>'
    marks = stage_marks(findings.log)
    titles = {"psnr": "PSNR of the training views (dB)", "loss": "loss (weighted sum)"}
    charts, steps = [], [float(entry["step"]) for entry in findings.log]
    for curve in curves:
        title = titles.get(curve.name, curve.name)
        charts.append((title, f"last {curve.y[-1]:.4g}", curve_svg(curve, marks, title, (steps[0], steps[-1]))))
    note = "Line: mean over neighbouring logged steps; band: lowest to highest. Dashed: where a stage begins."
    return f'<p class="soft">{note}</p>{chart_grid(charts)}'
