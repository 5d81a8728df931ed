"""`prepare_report.html`: what preparing a capture did, at a glance; one file that opens offline."""

from __future__ import annotations

import statistics
from html import escape

import numpy as np

from s3d_splat.alignment.values import Edge
from s3d_splat.prepare.capture_checks import listed
from s3d_splat.prepare.ego import rig_picture
from s3d_splat.prepare.findings import Findings
from s3d_splat.prepare.map import cluster_colour, map_svg
from s3d_splat.prepare.timeline import rejections, timelines
from s3d_splat.report.page import contents, facts, page, remarks, section, sortable, table_head

SECTIONS = (
    ("numbers", "Results"),
    ("map", "Map"),
    ("clusters", "Clusters"),
    ("edges", "Alignment"),
    ("objects", "Objects"),
    ("rejected", "Rejected masks"),
    ("made", "How it was made"),
)
_EDGES_SHOWN = 12
_STAGES = {
    "read": "reading", "check": "checking", "clusters": "cutting into clusters",
    "ego": "looking for the rig", "geometry": "cameras", "masks": "masks",
    "align": "aligning", "depth": "correcting the depth", "fuse": "fusing the depth", "identify": "one id per object",
}  # fmt: skip


def report_html(findings: Findings) -> str:
    """The whole page."""
    name = escape(findings.scene.name)
    body = [
        f"<header><h1>{name}</h1><p>{escape(_sentence(findings))}</p>{contents(SECTIONS)}</header>",
        section("numbers", "Results", _cards(findings) + remarks(_remarks(findings)) + _rigs(findings)),
        section("map", "From above", map_svg(findings) + _map_legend(findings)),
        section("clusters", "Clusters", _clusters(findings)),
        section("edges", "Alignment of the clusters", _edges(findings)),
        section("objects", "One id per object", timelines(findings)),
        section("rejected", "Images where masks were rejected", rejections(findings)),
        section("made", "How it was made", _made(findings)),
    ]
    return page(f"{name}: prepared by s3d-splat", "\n".join(body))


def _sentence(findings: Findings) -> str:
    images, frames, clusters = (
        len(findings.capture.names) + len(findings.black),
        len(findings.frames),
        len(findings.clusters),
    )
    things = sum(entry.is_thing for entry in findings.identities.instances)
    pieces = "one piece" if clusters == 1 else f"{clusters} clusters"
    whole = f"all {images} images" if frames == images else f"{frames} of {images} images"
    return (
        f"A scene of {whole}, from {pieces}, with {things} {'thing' if things == 1 else 'things'};"
        f" geometry: {findings.geometry}, masks: {findings.masks}; made in {_duration(sum(findings.seconds.values()))}."
    )


def _remarks(findings: Findings) -> list[str]:
    lines = []
    if findings.black:
        lines.append(f"Left out because they are black: {listed(findings.black)} ({len(findings.black)}).")
    if findings.missing:
        lines.append(f"Left out because they could not be placed: {listed(findings.missing)} ({len(findings.missing)}).")
    if findings.unused:
        lines.append(
            f"Not used, as in no cluster or passed over by --alignment.clusters.keep-every: {len(findings.unused)}."
        )
    for rig in findings.rigs:
        lines.append(
            f"{rig.share:.1%} of {rig.images} images shows what carries the camera: these pixels count for nothing"
            " (--no-ego-mask takes them for the scene)."
        )
    if findings.masks == "felzenszwalb":
        lines.append("The masks are regions of even colour (felzenszwalb), not objects: expect parts of objects.")
    if not findings.identities.instances:
        lines.append("No object was found: the scene can be trained, but it will have no instances.")
    rejected = findings.edges(accepted=False)
    if rejected:
        lines.append(
            f"Measured edges between clusters that were rejected: {len(rejected)} of {len(findings.alignment.edges)}."
        )
    return lines


def _rigs(findings: Findings) -> str:
    """Where the rig was found, painted over one image of each camera."""
    note = "What carries the camera, as it was found (painted over): it is no part of the scene."
    pictures = "".join(f'<p><img src="{rig_picture(rig)}" alt="{escape(note)}"></p>' for rig in findings.rigs)
    return f'{pictures}<p class="soft">{note}</p>' if pictures else ""


def _cards(findings: Findings) -> str:
    edges, counts = findings.edges(accepted=True), findings.mask_counts()
    loops = sum(edge.kind == "loop" for edge in edges)
    residual = findings.residual
    things = sum(entry.is_thing for entry in findings.identities.instances)
    slowest = max(findings.seconds, key=lambda stage: findings.seconds[stage], default="")
    cards = (
        ("Images", f"{len(findings.frames)}", "in one world", {
            "left out": f"{len(findings.black) + len(findings.missing) + len(findings.unused)}",
            "points": f"{len(findings.proxy.points):,}",
        }),
        ("Clusters", f"{len(findings.clusters)}", "joined", {
            "overlap edges": f"{len(edges) - loops}",
            "loop edges": f"{loops}",
            "median residual": "–" if residual is None else f"{residual:.2%}",
        }),
        ("Objects", f"{things}", "things", {
            "stuff": f"{len(findings.identities.instances) - things}",
            "masks kept": f"{counts['given']:,}",
            "masks filled in": f"{counts['filled']:,}",
            "masks rejected": f"{counts['rejected']:,}",
        }),
        ("Time", _duration(sum(findings.seconds.values())), "", {
            "slowest stage": _STAGES.get(slowest, slowest),
            "it took": _duration(findings.seconds.get(slowest, 0.0)),
        }),
    )  # fmt: skip
    return f'<div class="cards">{"".join(_card(*card) for card in cards)}</div>'


def _card(title: str, number: str, unit: str, details: dict[str, str]) -> str:
    rows = "".join(f"<div><dt>{escape(key)}</dt><dd>{escape(value)}</dd></div>" for key, value in details.items())
    large = f'<p class="large">{escape(number)} <span class="unit">{escape(unit)}</span></p>'
    return f'<div class="card"><h3>{escape(title)}</h3>{large}<dl>{rows}</dl></div>'


def _map_legend(findings: Findings) -> str:
    count = len(findings.clusters)
    ramp = "".join(
        f'<i class="chip" style="background:{cluster_colour(number, count)}"></i>' for number in range(min(count, 12))
    )
    entries = (
        f"{ramp} <b>lines</b>: the cameras of each cluster after alignment; of images that two clusters share, both.",
        '<i class="chip key-object"></i><b>squares</b>: things. Grey: surfaces, darker where they stand upright.',
        '<i class="key-loop"></i><b>loops</b>: the same place seen again; <i class="key-loop rejected"></i>rejected edges.',
        "Point at a shape to see what it is.",
    )
    return f'<ul class="legend">{"".join(f"<li>{entry}</li>" for entry in entries)}</ul>'


def _clusters(findings: Findings) -> str:
    count, factors = len(findings.clusters), findings.depth_factors()
    head = table_head(
        ("cluster", ""), ("images", "n"), ("from", ""), ("to", ""), ("scale in the world", "n"), ("depth corrected by", "n"),
        ("ids in its table", "n wide"),
    )  # fmt: skip
    rows = []
    for number, cluster in enumerate(findings.clusters):
        T = findings.alignment.T_world_cluster[number].double().numpy()
        scale = float(np.cbrt(np.linalg.det(T[:3, :3])))
        first, last = (escape(cluster.frames[place].file_path.removeprefix("images/")) for place in (0, -1))
        colour = f'<i class="chip" style="background:{cluster_colour(number, count)}"></i>'
        rows.append(
            f'<tr><td data-sort="{number}">{colour} {number}</td><td class="n">{len(cluster.frames)}</td><td>{first}</td>'
            f'<td>{last}</td><td class="n">{scale:.4f}</td>{_factor_cell(factors.get(number, []))}'
            f'<td class="n wide">{len(cluster.instances)}</td></tr>'
        )
    return sortable(head, rows)


def _factor_cell(factors: list[float]) -> str:
    if not factors:
        return '<td class="n" data-sort="-1"><span class="soft">no depth</span></td>'
    middle = statistics.median(factors)
    return (
        f'<td class="n" data-sort="{middle:.6g}">{middle:.3f} <span class="soft">({min(factors):.3f} to'
        f" {max(factors):.3f})</span></td>"
    )


def _edges(findings: Findings) -> str:
    edges = sorted(findings.alignment.edges, key=lambda edge: (edge.accepted, -edge.residual))
    if not edges:
        return '<p class="none">One cluster: there was nothing to join.</p>'
    worst = max((edge.residual for edge in edges if edge.accepted), default=1.0) or 1.0
    head = table_head(
        ("edge", ""), ("clusters", ""), ("residual", "n"), ("points", "n"), ("images", "wide"), ("outcome", "")
    )
    rows = [_edge_row(edge, worst) for edge in edges]
    note = (
        "Residual: median distance of the points that both clusters see, after the fit, as a share of their depth."
        " Rejected edges first, then the largest residuals."
    )
    parts = [f'<p class="soft">{note}</p>', sortable(head, rows[:_EDGES_SHOWN])]
    if len(rows) > _EDGES_SHOWN:
        rest = sortable(head, rows[_EDGES_SHOWN:])
        parts.append(f"<details><summary>{len(rows) - _EDGES_SHOWN} more edges</summary>{rest}</details>")
    return "".join(parts)


def _edge_row(edge: Edge, worst: float) -> str:
    outcome = "used" if edge.accepted else f"<strong>rejected</strong>: {escape(edge.reason)}"
    images = edge.frames[0] if edge.frames[0] == edge.frames[1] else " – ".join(edge.frames)
    share = min(max(edge.residual / worst, 0.0), 1.0) if np.isfinite(edge.residual) else 1.0
    bar = f'<span class="bar"><i style="width:{100 * share:.0f}%"></i></span>'
    return (
        f'<tr class="{"found" if edge.accepted else "missed"}"><td>{edge.kind}</td><td>{edge.first} – {edge.second}</td>'
        f'<td class="n" data-sort="{edge.residual:.6g}">{bar}{edge.residual:.2%}</td><td class="n">{edge.matches:,}</td>'
        f'<td class="wide">{escape(images)}</td><td class="name">{outcome}</td></tr>'
    )


def _made(findings: Findings) -> str:
    trained = sum(frame.sources[0].frame.split == "train" for frame in findings.frames)
    values = {
        "Capture": str(findings.capture.root),
        "Format": findings.capture.format,
        "Geometry": findings.geometry,
        "Masks": findings.masks,
        "Frames": f"{trained} for training, {len(findings.frames) - trained} for testing",
        "Seconds": ", ".join(f"{_STAGES.get(stage, stage)} {seconds:.1f}" for stage, seconds in findings.seconds.items()),
    }
    return facts(values)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
