"""Findings made up for tests of the report: a ring of clusters with everything that can happen in it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch

from s3d_splat.alignment.identity.values import Identities, ObjectTrack, Rejection
from s3d_splat.alignment.values import Alignment, Edge, Source, WorldFrame
from s3d_splat.prepare.findings import Findings
from s3d_splat.types import Camera, Capture, ClassInfo, Frame, InstanceInfo, PosedCluster, ProxyGeometry


def ring_camera(index: int, count: int) -> Camera:
    """A camera on a circle of 3 m around the origin, 1.5 m above the ground (y down), looking inwards."""
    angle = 2 * math.pi * index / count
    back = torch.tensor([math.cos(angle), 0.0, math.sin(angle)], dtype=torch.float64)
    down = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3] = torch.stack([torch.linalg.cross(down, -back), down, -back], dim=1)
    pose[:3, 3] = 3 * back - 1.5 * down
    return Camera(pose, 30.0, 30.0, 16.0, 12.0, 32, 24)


def fabricated_findings(count: int = 24, clusters: int = 3, objects: int = 3, seed: int = 0) -> Findings:
    """A ring of `count` images in `clusters` overlapping clusters; one edge and some masks are rejected."""
    generator = torch.Generator().manual_seed(seed)
    length, frames = count // clusters + 4, []
    spans = [
        range(number * count // clusters, min(count, number * count // clusters + length)) for number in range(clusters)
    ]
    for index in range(count):
        camera = ring_camera(index, count)
        sources = []
        for number, span in enumerate(spans):
            if index in span:
                moved = camera.T_world_camera.clone()
                moved[:3, 3] += 0.05 * number
                frame = _frame(index, replace(camera, T_world_camera=moved))
                sources.append(Source(number, frame))
        frames.append(WorldFrame(f"{index:05d}.png", index, camera, tuple(sources)))
    edges = [
        _edge("overlap", number, number + 1, spans[number + 1].start, spans[number + 1].start)
        for number in range(clusters - 1)
    ]
    edges.append(_edge("loop", 0, clusters - 1, 0, count - 1))
    edges.append(_edge("loop", 0, 1, 1, count // 2, reason="the loop disagrees with <all> the others"))
    points = torch.rand(4000, 3, generator=generator, dtype=torch.float64) * torch.tensor([8.0, 2.5, 6.0]) - torch.tensor(
        [4.0, 2.5, 3.0]
    )
    labels = torch.randint(0, objects + 1, (4000,), generator=generator, dtype=torch.int32)
    for entry in range(1, objects + 1):
        points[labels == entry] = (
            points[labels == entry] * 0.05 + torch.rand(3, generator=generator, dtype=torch.float64) * 4 - 2
        )
    proxy = ProxyGeometry(points.float(), torch.full((4000, 3), 0.5))
    posed = tuple(
        PosedCluster(tuple(source.frame for frame in frames for source in frame.sources if source.cluster == number))
        for number in range(clusters)
    )
    corrected = tuple(
        replace(frame, sources=tuple(replace(one, frame=replace(one.frame, depth_scale=0.00102)) for one in frame.sources))
        for frame in frames
    )
    return Findings(
        scene=Path("/somewhere/my <scene>"),
        capture=Capture(Path("/somewhere/capture"), "raw", tuple(frame.name for frame in frames), ()),
        geometry="given",
        masks="given",
        black=("dark.png",),
        missing=(),
        unused=(),
        clusters=posed,
        alignment=Alignment(tuple(frames), tuple(torch.eye(4, dtype=torch.float64) for _ in posed), tuple(edges)),
        frames=corrected,
        proxy=proxy,
        identities=_identities(labels, objects, count),
        seconds={"read": 1.5, "align": 20.0, "write": 3.0},
    )


def _frame(index: int, camera: Camera) -> Frame:
    path = Path(f"/somewhere/{index:05d}.png")
    return Frame(f"images/{index:05d}.png", camera, "train", path, path, None, None, None)


def _edge(kind: str, first: int, second: int, one: int, other: int, reason: str = "") -> Edge:
    names = (f"{one:05d}.png", f"{other:05d}.png")
    return Edge(
        kind, first, second, torch.eye(4, dtype=torch.float64), names, 900, 0.25 if reason else 0.004, not reason, reason
    )


def _identities(labels: torch.Tensor, objects: int, count: int) -> Identities:
    instances = tuple(InstanceInfo(entry, 5, "chair & co", entry != objects, 0.8) for entry in range(1, objects + 1))
    tracks = {
        entry: ObjectTrack(
            given=tuple(index for index in range(count) if (index + entry) % 7 and index > entry),
            filled=tuple(index for index in range(count) if not (index + entry) % 7 and index > entry),
            rejected=(entry,),
        )
        for entry in range(1, objects + 1)
    }
    rejected = tuple(
        Rejection(entry, 0, 40 + entry, "its points are those of object <2>") for entry in range(1, objects + 1)
    )
    return Identities(instances, (ClassInfo(5, "chair & co", True),), labels, tracks, rejected)
