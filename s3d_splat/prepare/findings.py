"""What preparing a capture found out, for the report and for programs."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3d_splat.alignment.identity.values import Identities
from s3d_splat.alignment.values import Alignment, Edge, WorldFrame
from s3d_splat.prepare.ego import Rig
from s3d_splat.types import Capture, PosedCluster, ProxyGeometry


@dataclass(frozen=True)
class Findings:
    """Everything that the stages handed on."""

    scene: Path
    capture: Capture
    geometry: str  # name of the prior
    masks: str  # name of the prior
    black: tuple[str, ...]  # images that show nothing, left out
    missing: tuple[str, ...]  # images that could not be posed, left out
    unused: tuple[str, ...]  # images that nobody tried to pose: in no cluster, or passed over by `keep_every`
    clusters: tuple[PosedCluster, ...]
    alignment: Alignment
    frames: tuple[WorldFrame, ...]  # of `alignment`, with corrected depth
    proxy: ProxyGeometry
    identities: Identities
    seconds: dict[str, float]  # by stage
    rigs: tuple[Rig, ...] = ()  # what carries the cameras, where the images show it

    def edges(self, *, accepted: bool) -> tuple[Edge, ...]:
        """The measured edges that were used, or those that were not."""
        return tuple(edge for edge in self.alignment.edges if edge.accepted == accepted)

    @property
    def residual(self) -> float | None:
        """Median residual of the accepted edges, as a share of depth; None without edges."""
        values = [edge.residual for edge in self.edges(accepted=True)]
        return statistics.median(values) if values else None

    def mask_counts(self) -> Counter[str]:
        """Masks over all images: "given" and kept, "filled", "rejected"."""
        counts: Counter[str] = Counter(rejected=len(self.identities.rejected))
        for track in self.identities.tracks.values():
            counts["given"] += len(track.given)
            counts["filled"] += len(track.filled)
        return counts

    def depth_factors(self) -> dict[int, list[float]]:
        """By cluster: the factors by which the depth of its images was corrected."""
        factors: dict[int, list[float]] = {}
        for before, after in zip(self.alignment.frames, self.frames, strict=True):
            scales = {source.cluster: source.frame.depth_scale for source in before.sources}
            for source in after.sources:
                if source.frame.depth_path is not None:
                    factor = source.frame.depth_scale / scales[source.cluster]
                    factors.setdefault(source.cluster, []).append(factor)
        return factors

    def summary(self) -> dict[str, Any]:
        """Plain values for `--json` and tables; what does not exist is None."""
        things = sum(entry.is_thing for entry in self.identities.instances)
        counts = self.mask_counts()
        return {
            "scene": str(self.scene),
            "format": self.capture.format,
            "geometry": self.geometry,
            "masks": self.masks,
            "images": len(self.capture.names) + len(self.black),
            "frames": len(self.frames),
            "clusters": len(self.clusters),
            "edges": len(self.edges(accepted=True)),
            "loops": sum(edge.kind == "loop" for edge in self.edges(accepted=True)),
            "edges_rejected": len(self.edges(accepted=False)),
            "residual": self.residual,
            "points": len(self.proxy.points),
            "things": things,
            "stuff": len(self.identities.instances) - things,
            "ego_share": max((rig.share for rig in self.rigs), default=0.0),
            "masks_given": counts["given"],
            "masks_filled": counts["filled"],
            "masks_rejected": counts["rejected"],
            "seconds": sum(self.seconds.values()),
            "seconds_by_stage": dict(self.seconds),
        }
