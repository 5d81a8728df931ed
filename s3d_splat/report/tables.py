"""The tables of objects and classes, as HTML; every string of a file is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import torch

from s3d_splat.panoptic.palette import instance_colours
from s3d_splat.report.collect import ClassScore, Findings, PredictedObject, TrueObject
from s3d_splat.report.page import sortable, table_head
from s3d_splat.report.views import View

FOUND_IOU = 0.5  # strictly above: found, as in AP50
PARTLY_IOU = 0.25


def objects_table(findings: Findings) -> str:
    """One row per true object, the worst first; the chip has the colour of its match, a missed object is hatched."""
    predictions = {entry.id: entry for entry in findings.predictions}
    head = table_head(
        ("found", ""), ("object", ""), ("IoU", "n"), ("id", "n"), ("kind", ""), ("points", "n"), ("prediction", ""),
        ("Gaussians", "n wide"), ("extent (m)", "n wide"),
    )  # fmt: skip
    rows = [_object_row(entry, predictions) for entry in findings.objects]
    return sortable(head, rows)


def surplus_table(findings: Findings) -> str:
    """The predictions that match no true object, the largest first."""
    nearest: dict[int, list[TrueObject]] = {}
    for entry in findings.objects:
        if not entry.matched_id and entry.best_id:
            nearest.setdefault(entry.best_id, []).append(entry)
    head = table_head(
        ("surplus", ""), ("id", "n"), ("class", ""), ("kind", ""), ("score", "n"), ("Gaussians", "n"), ("extent (m)", "n"),
        ("may be", ""),
    )  # fmt: skip
    ordered = sorted(findings.surplus, key=lambda entry: -entry.gaussians)
    rows = [_surplus_row(entry, nearest.get(entry.id, [])) for entry in ordered]
    return sortable(head, rows)


def classes_table(classes: Sequence[ClassScore]) -> str:
    """PQ of every class, the worst first."""
    head = table_head(
        ("class", ""), ("kind", ""), ("PQ", "n"), ("SQ", "n"), ("RQ", "n"), ("matched", "n"), ("false", "n"), ("missed", "n")
    )
    ordered = sorted(classes, key=lambda row: (row.values["pq"] is not None, row.values["pq"] or 0.0, row.name))
    rows = []
    for row in ordered:
        scores = "".join(_number_cell(row.values[key], ".3f", bar=key == "pq") for key in ("pq", "sq", "rq"))
        counts = "".join(_number_cell(row.values[key], ".0f") for key in ("matches", "false_positives", "misses"))
        rows.append(f"<tr><td>{escape(row.name)}</td><td>{_kind(row.is_thing)}</td>{scores}{counts}</tr>")
    return sortable(head, rows)


def views_table(views: Sequence[View], shown: frozenset[str]) -> str:
    """The scores of every test view, in the order of the path; names of views that are shown link to them."""
    rows = []
    for view in views:
        name = escape(view.name)
        label = f'<a href="#view-{name}">{name}</a>' if view.name in shown else name
        cells = (
            _number_cell(view.score.psnr, ".2f") + _number_cell(view.score.ssim, ".3f") + _number_cell(view.score.pq, ".3f")
        )
        rows.append(f"<tr><td>{label}</td>{cells}</tr>")
    head = table_head(("view", ""), ("PSNR (dB)", "n"), ("SSIM", "n"), ("PQ", "n"))
    return sortable(head, rows)


def chip(instance_id: int) -> str:
    """A small square in the palette's colour of a predicted instance; 0: the hatch of a missed object."""
    if instance_id == 0:
        return '<span class="chip missed" role="img" aria-label="missed"></span>'
    red, green, blue = instance_colours(torch.tensor([instance_id]))[0].tolist()
    return f'<span class="chip" style="background:rgb({red},{green},{blue})"></span>'


def _object_row(entry: TrueObject, predictions: dict[int, PredictedObject]) -> str:
    matched = predictions.get(entry.matched_id)
    status, sort_key = _status(entry)
    title = escape(entry.class_name) + (f' <span class="soft">{escape(entry.name)}</span>' if entry.name else "")
    if entry.matched_id:
        target = f"{entry.matched_id}"
        if matched is not None and matched.class_name != entry.class_name:
            target += f' <span class="warn">as {escape(matched.class_name)}</span>'
    else:
        target = f'<span class="soft">best: {entry.best_id}</span>' if entry.best_id else '<span class="soft">none</span>'
    gaussians = _number_cell(None if matched is None else float(matched.gaussians), ",.0f", wide=True)
    extent = f'<td class="n wide">{_extent(matched) if matched else "–"}</td>'
    found = "found" if entry.matched_id else "missed"
    return (
        f'<tr class="{found}"><td data-sort="{sort_key}">{chip(entry.matched_id)} {status}</td>'
        f'<td class="name">{title}</td>{_number_cell(entry.iou, ".3f", bar=True)}<td class="n">{entry.id}</td>'
        f"<td>{_kind(entry.is_thing)}</td>{_number_cell(None if entry.points is None else float(entry.points), ',.0f')}"
        f"<td>{target}</td>{gaussians}{extent}</tr>"
    )


def _status(entry: TrueObject) -> tuple[str, int]:
    if entry.matched_id:
        return "found", 2
    if entry.iou is not None and entry.iou > PARTLY_IOU:
        return "<strong>missed</strong>, partly", 1
    return "<strong>missed</strong>", 0


def _surplus_row(entry: PredictedObject, near: Sequence[TrueObject]) -> str:
    names = ", ".join(f"{escape(true.class_name)} {true.id} (IoU {true.iou or 0:.2f})" for true in near)
    guess = f"the best for {names}" if names else '<span class="soft">a fragment, or unlabelled in the truth</span>'
    return (
        f'<tr class="surplus"><td>{chip(entry.id)} <strong>surplus</strong></td><td class="n">{entry.id}</td>'
        f"<td>{escape(entry.class_name)}</td><td>{_kind(entry.is_thing)}</td>{_number_cell(entry.score, '.2f')}"
        f'{_number_cell(float(entry.gaussians), ",.0f")}<td class="n">{_extent(entry)}</td><td>{guess}</td></tr>'
    )


def _kind(is_thing: bool | None) -> str:
    return {True: "thing", False: "stuff", None: "?"}[is_thing]


def _extent(entry: PredictedObject) -> str:
    return " × ".join(f"{side:.2f}" for side in entry.extent)


def _number_cell(value: float | None, form: str, *, bar: bool = False, wide: bool = False) -> str:
    classes = "n" + (" wide" if wide else "")
    if value is None:
        return f'<td class="{classes}" data-sort="-1"><span class="soft" title="not measured">–</span></td>'
    meter = f'<span class="bar"><i style="width:{100 * min(max(value, 0.0), 1.0):.0f}%"></i></span>' if bar else ""
    return f'<td class="{classes}" data-sort="{value:.6g}">{meter}{value:{form}}</td>'
