"""The capture from above, as SVG: surfaces, the path of every cluster, edges between them, objects."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float
from PIL import Image

from s3d_splat.alignment.values import Edge, WorldFrame
from s3d_splat.prepare.findings import Findings

WIDTH, TALLEST = 1000.0, 640.0  # of the drawing, in its own units
_MARGIN = 24.0
_CELLS = 500  # of the picture of the surfaces, along the longer side
_ROUND = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # lengths of the scale bar


@dataclass(frozen=True)
class Ground:
    """A plane to draw on: `axes` are its right and its up as seen from above."""

    axes: Float[np.ndarray, "2 3"]
    low: Float[np.ndarray, " 2"]
    scale: float  # drawing units for one unit of length
    height: float

    def place(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
        """Where points of the world are drawn."""
        flat = (points @ self.axes.T - self.low) * self.scale
        return np.stack([_MARGIN + flat[:, 0], self.height - _MARGIN - flat[:, 1]], axis=1)


def ground_of(centres: Float[np.ndarray, "n 3"], upward: Float[np.ndarray, " 3"], cloud: Float[np.ndarray, "m 3"]) -> Ground:
    """The plane across `upward` with the longer side of the capture to the right, large enough for cameras and surfaces."""
    up = upward / np.linalg.norm(upward)
    level = centres - centres.mean(0)
    level = level - (level @ up)[:, None] * up
    right = np.linalg.svd(level, full_matrices=False)[2][0] if len(centres) > 1 else np.array([1.0, 0.0, 0.0])
    right = right - (right @ up) * up
    if np.linalg.norm(right) < 1e-9:  # all cameras on one vertical line
        right = np.cross(up, np.eye(3)[np.abs(up).argmin()])
    right = right / np.linalg.norm(right)
    axes = np.stack([right, np.cross(up, right)])
    corners = [centres @ axes.T]
    if len(cloud):
        corners.append(np.quantile(cloud @ axes.T, (0.005, 0.995), axis=0))
    corner = np.concatenate(corners)
    low, size = corner.min(0), np.maximum(np.ptp(corner, axis=0), 1e-6)
    scale = min((WIDTH - 2 * _MARGIN) / size[0], (TALLEST - 2 * _MARGIN) / size[1])
    low[0] -= ((WIDTH - 2 * _MARGIN) / scale - size[0]) / 2  # in the middle
    return Ground(axes, low, float(scale), float(size[1] * scale + 2 * _MARGIN))


def map_svg(findings: Findings) -> str:
    """The map; every shape has a title that a pointer shows."""
    cameras = [source.frame.camera for frame in findings.frames for source in frame.sources]
    centres = np.stack([camera.T_world_camera[:3, 3].double().numpy() for camera in cameras])
    upward = -np.stack([frame.camera.T_world_camera[:3, 1].double().numpy() for frame in findings.frames]).mean(0)
    cloud = findings.proxy.points.double().numpy()
    ground = ground_of(centres, upward if np.linalg.norm(upward) > 1e-6 else np.array([0.0, 0.0, 1.0]), cloud)
    parts = [
        f'<svg class="map" viewBox="0 0 {WIDTH:.0f} {ground.height:.0f}" role="img" aria-label="the capture from above">',
        _surfaces(cloud, ground),
        *_objects(findings, ground),
        *_paths(findings, ground),
        *_edges(findings.alignment.edges, findings.frames, ground),
        _scale_bar(ground, "m" if findings.depth_factors() else "units"),
        "</svg>",
    ]
    return "".join(parts)


def cluster_colour(number: int, count: int) -> str:
    """A colour for each cluster, from blue (first) to red (last) over green and yellow."""
    along = number / max(count - 1, 1)
    return f"hsl({235 - 235 * along:.0f} 70% 48%)"


def _centre(frame: WorldFrame) -> Float[np.ndarray, " 3"]:
    return frame.camera.T_world_camera[:3, 3].double().numpy()


def _surfaces(cloud: Float[np.ndarray, "m 3"], ground: Ground) -> str:
    """Where many points lie above each other, walls above all, as a grey picture."""
    if not len(cloud):
        return ""
    cell = max(WIDTH, ground.height) / _CELLS
    shape = (int(np.ceil(ground.height / cell)), int(np.ceil(WIDTH / cell)))
    column, row = (ground.place(cloud) / cell).astype(int).T
    inside = (column >= 0) & (column < shape[1]) & (row >= 0) & (row < shape[0])
    counts = np.bincount(row[inside] * shape[1] + column[inside], minlength=shape[0] * shape[1]).reshape(shape)
    strength = np.log1p(counts) / np.log1p(np.quantile(counts[counts > 0], 0.99)) if counts.any() else counts
    alpha = (np.clip(strength, 0, 1) ** 1.5 * 190).astype(np.uint8)
    picture = np.dstack([np.full_like(alpha, 125), alpha])
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="png", optimize=True)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    size = f'width="{shape[1] * cell:.1f}" height="{shape[0] * cell:.1f}"'
    return f'<image {size} href="data:image/png;base64,{data}"/>'


def _objects(findings: Findings, ground: Ground) -> list[str]:
    """A small square at the middle of each thing."""
    labels = findings.identities.point_instances.numpy()
    order = np.argsort(labels, kind="stable")
    ordered, points = labels[order], findings.proxy.points.double().numpy()
    shapes = []
    for entry in findings.identities.instances:
        first, last = np.searchsorted(ordered, (entry.id, entry.id + 1))
        if not entry.is_thing or first == last:
            continue
        x, y = ground.place(np.median(points[order[first:last]], axis=0)[None])[0]
        title = escape(f"{entry.class_name or 'object'} {entry.id}")
        shapes.append(
            f'<rect class="object" x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6"><title>{title}</title></rect>'
        )
    return shapes


def _paths(findings: Findings, ground: Ground) -> list[str]:
    """The cameras of each cluster, as the cluster has them: where two clusters share images, both lines are drawn."""
    count = len(findings.clusters)
    seen: dict[int, list[tuple[str, Float[np.ndarray, " 3"]]]] = {number: [] for number in range(count)}
    for frame in findings.frames:
        for source in frame.sources:
            place = source.frame.camera.T_world_camera[:3, 3].double().numpy()
            seen[source.cluster].append((frame.name, place))
    shapes, labels = [], []
    for number, cameras in seen.items():
        if not cameras:
            continue
        places = ground.place(np.stack([place for _, place in cameras]))
        colour = cluster_colour(number, count)
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        title = escape(f"cluster {number}: {cameras[0][0]} to {cameras[-1][0]}")
        shapes.append(f'<g stroke="{colour}" fill="{colour}"><title>{title}</title><polyline class="path" points="{line}"/>')
        shapes += [f'<circle class="camera" cx="{x:.1f}" cy="{y:.1f}" r="2"/>' for x, y in places]
        shapes.append("</g>")
        x, y = places[0]
        labels.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="{colour}"/>')
        labels.append(f'<text class="number" x="{x:.1f}" y="{y + 4:.1f}">{number}</text>')
    return shapes + labels


def _edges(edges: Sequence[Edge], frames: Sequence[WorldFrame], ground: Ground) -> list[str]:
    """Loop edges as lines between their two images; rejected edges, loops or not, dashed."""
    places = {frame.name: ground.place(_centre(frame)[None])[0] for frame in frames}
    shapes = []
    for edge in edges:
        if (edge.kind != "loop" and edge.accepted) or any(name not in places for name in edge.frames):
            continue
        (x1, y1), (x2, y2) = (places[name] for name in edge.frames)
        state = "accepted" if edge.accepted else f"rejected: {edge.reason}"
        title = escape(f"{edge.kind}: clusters {edge.first} and {edge.second}, {' and '.join(edge.frames)}, {state}")
        kind = "loop" if edge.accepted else "loop rejected"
        line = f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
        near = abs(x1 - x2) + abs(y1 - y2) < 8  # too short a line to see
        ring = f'<circle cx="{x1:.1f}" cy="{y1:.1f}" r="7"/>' if near else ""
        shapes.append(f'<g class="{kind}"><title>{title}</title>{line}{ring}</g>')
    return shapes


def _scale_bar(ground: Ground, unit: str) -> str:
    """A length to compare with; without depth nothing says how long a metre is."""
    length = max((value for value in _ROUND if value * ground.scale < WIDTH / 4), default=_ROUND[0])
    x, y = _MARGIN, ground.height - 8
    return (
        f'<line class="scale" x1="{x}" y1="{y:.1f}" x2="{x + length * ground.scale:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{x}" y="{y - 5:.1f}">{length:g} {unit}</text>'
    )
