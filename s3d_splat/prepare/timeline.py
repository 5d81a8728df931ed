"""When each object was seen, and where masks were rejected: bars over the images, as HTML and SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

from s3d_splat.alignment.identity.values import ObjectTrack, Rejection
from s3d_splat.alignment.values import WorldFrame
from s3d_splat.prepare.findings import Findings
from s3d_splat.prepare.map import cluster_colour
from s3d_splat.report.page import sortable, table_head
from s3d_splat.report.tables import chip
from s3d_splat.types import InstanceInfo

SHOWN = 60  # objects before the others are folded away
_FRAMES_SHOWN = 12  # images with rejected masks before the others are folded away
_KINDS = ("given", "filled", "rejected")


def timelines(findings: Findings) -> str:
    """A row for every object, those seen most first: a bar over all images."""
    tracks = findings.identities.tracks
    nothing = ObjectTrack((), (), ())
    rows = [(entry, tracks.get(entry.id, nothing)) for entry in findings.identities.instances]
    rows.sort(key=lambda row: (-len(row[1].given) - len(row[1].filled), row[0].id))
    if not rows:
        return '<p class="none">No objects were found.</p>'
    span = _span(findings)
    shown = _objects_table(rows[:SHOWN], findings, span)
    if len(rows) <= SHOWN:
        return _legend() + shown
    rest = _objects_table(rows[SHOWN:], findings, span)
    return _legend() + shown + f"<details><summary>{len(rows) - SHOWN} more objects</summary>{rest}</details>"


def rejections(findings: Findings) -> str:
    """How many masks were rejected in which image, the reasons, and the images with most of them."""
    rejected = findings.identities.rejected
    if not rejected:
        return '<p class="none">No mask was rejected.</p>'
    by_frame: dict[int, list[Rejection]] = {}
    for entry in rejected:
        by_frame.setdefault(entry.frame, []).append(entry)
    counts = Counter({frame: len(entries) for frame, entries in by_frame.items()})
    reasons = Counter(entry.reason for entry in rejected)
    said = "".join(f"<li>{count}: {escape(reason)}</li>" for reason, count in reasons.most_common(8))
    names = {frame.index: frame.name for frame in findings.frames}
    rows = [_frame_row(frame, names.get(frame, str(frame)), by_frame[frame]) for frame, _ in counts.most_common()]
    head = table_head(("image", ""), ("rejected", "n"), ("masks, by their ids in the table of the cluster", ""))
    parts = [
        f"<p>{len(rejected)} masks in {len(by_frame)} of {len(findings.frames)} images. Reasons:</p><ul>{said}</ul>",
        _histogram(counts, _span(findings)),
        sortable(head, rows[:_FRAMES_SHOWN]),
    ]
    if len(rows) > _FRAMES_SHOWN:
        rest = sortable(head, rows[_FRAMES_SHOWN:])
        parts.append(f"<details><summary>{len(rows) - _FRAMES_SHOWN} more images</summary>{rest}</details>")
    return "".join(parts)


def cluster_strip(frames: Sequence[WorldFrame], count: int, span: int) -> str:
    """Which images belong to which clusters, neighbouring clusters on two lines."""
    members: dict[int, list[int]] = {}
    for frame in frames:
        for source in frame.sources:
            members.setdefault(source.cluster, []).append(frame.index)
    bars = []
    for number, places in sorted(members.items()):
        line = _bars(tuple(places), 5 * (number % 2), 4)
        bars.append(f'<g fill="{cluster_colour(number, count)}"><title>cluster {number}</title>{line}</g>')
    return _strip("".join(bars), span, "the clusters")


def _objects_table(rows: Sequence[tuple[InstanceInfo, ObjectTrack]], findings: Findings, span: int) -> str:
    strip = cluster_strip(findings.frames, len(findings.clusters), span)
    head = table_head(
        ("object", ""),
        ("score", "n wide"),
        *((kind, "n wide") for kind in _KINDS),
        (f"images in the order of time{strip}", "track"),
    )
    return sortable(head, [_object_row(entry, track, span) for entry, track in rows])


def _object_row(entry: InstanceInfo, track: ObjectTrack, span: int) -> str:
    name = entry.class_name or "unknown class"
    kind = "" if entry.is_thing else ' <span class="soft">stuff</span>'
    counts = "".join(f'<td class="n wide">{len(getattr(track, key))}</td>' for key in _KINDS)
    bars = "".join(f'<g class="{key}">{_bars(getattr(track, key), 0, 10)}</g>' for key in _KINDS)
    label = f"{name} {entry.id}: {', '.join(f'{len(getattr(track, key))} {key}' for key in _KINDS)}"
    first = min((*track.given, *track.filled), default=span)
    return (
        f'<tr><td class="name" data-sort="{entry.id}">{chip(entry.id)} {entry.id} {escape(name)}{kind}</td>'
        f'<td class="n wide">{entry.score:.2f}</td>{counts}'
        f'<td class="track" data-sort="{first}">{_strip(bars, span, label)}</td></tr>'
    )


def _frame_row(index: int, name: str, entries: Sequence[Rejection]) -> str:
    ids: dict[int, list[str]] = {}
    for entry in entries:
        ids.setdefault(entry.cluster, []).append(f'<span title="{escape(entry.reason)}">{entry.given_id}</span>')
    said = "; ".join(f"cluster {cluster}: {', '.join(given)}" for cluster, given in sorted(ids.items()))
    return (
        f'<tr><td data-sort="{index}">{escape(name)}</td><td class="n">{len(entries)}</td><td class="wrap">{said}</td></tr>'
    )


def _histogram(counts: Counter[int], span: int) -> str:
    highest = max(counts.values())
    bars = "".join(
        f'<rect x="{frame}" y="{10 - 10 * count / highest:.2f}" width="1" height="{10 * count / highest:.2f}"/>'
        for frame, count in sorted(counts.items())
    )
    note = f"Rejected masks of each image, in the order of time; the highest bar is {highest}."
    strip = _strip(f'<g class="rejected">{bars}</g>', span, note)
    return f'<div class="histogram">{strip}</div><p class="soft">{note}</p>'


def _bars(frames: tuple[int, ...], top: int, height: int) -> str:
    """One rectangle for every run of neighbouring images."""
    runs: list[list[int]] = []
    for frame in sorted(frames):
        if runs and frame == runs[-1][1] + 1:
            runs[-1][1] = frame
        else:
            runs.append([frame, frame])
    return "".join(f'<rect x="{first}" y="{top}" width="{last - first + 1}" height="{height}"/>' for first, last in runs)


def _strip(content: str, span: int, label: str) -> str:
    return (
        f'<svg class="strip" viewBox="0 0 {span} 10" preserveAspectRatio="none" role="img" aria-label="{escape(label)}">'
        f"<title>{escape(label)}</title>{content}</svg>"
    )


def _span(findings: Findings) -> int:
    return 1 + max((frame.index for frame in findings.frames), default=0)


def _legend() -> str:
    entries = (
        ("given", "a mask was given and kept"),
        ("filled", "no mask was given; it was drawn from other images, where depth agrees"),
        ("rejected", "a mask was given, but other images see something else there"),
    )
    items = "".join(f'<li><i class="chip key-{kind}"></i><b>{kind}</b>: {text}.</li>' for kind, text in entries)
    return f'<ul class="legend">{items}</ul>'
