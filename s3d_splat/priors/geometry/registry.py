"""The table of geometry priors, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable

from s3d_splat.priors.geometry.base import GeometryPrior
from s3d_splat.priors.geometry.options import GeometryOptions
from s3d_splat.types import Capture


def make_geometry_prior(options: GeometryOptions, capture: Capture) -> GeometryPrior:
    """The prior that the options name, or the one that suits the capture; already checked against it.

    Raises:
        S3DError: the prior cannot work on this capture or on this machine.
    """
    name = default_geometry(capture) if options.prior == "auto" else options.prior
    prior = GEOMETRY_PRIORS[name](options)
    prior.check(capture)
    return prior


def default_geometry(capture: Capture) -> str:
    """`given` if every view has a pose, else `colmap`."""
    views = [view for cluster in capture.clusters for view in cluster.views]
    return "given" if all(view.T_cluster_camera is not None for view in views) else "colmap"


def _given(options: GeometryOptions) -> GeometryPrior:
    from s3d_splat.priors.geometry.given import GivenGeometry

    return GivenGeometry()


def _colmap(options: GeometryOptions) -> GeometryPrior:
    from s3d_splat.priors.geometry.colmap import ColmapGeometry

    return ColmapGeometry(options.colmap)


def _depth_anything3(options: GeometryOptions) -> GeometryPrior:
    from s3d_splat.priors.geometry.depth_anything3 import DepthAnything3Geometry

    return DepthAnything3Geometry(options.depth_anything3, options.accept_licence)


GEOMETRY_PRIORS: dict[str, Callable[[GeometryOptions], GeometryPrior]] = {
    "given": _given,
    "colmap": _colmap,
    "depth_anything3": _depth_anything3,
}
