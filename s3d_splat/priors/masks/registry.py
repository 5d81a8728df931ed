"""The table of mask priors, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable

from s3d_splat.priors.masks.base import MaskPrior
from s3d_splat.priors.masks.options import FelzenszwalbOptions, MaskOptions
from s3d_splat.types import Capture


def make_mask_prior(options: MaskOptions, capture: Capture) -> MaskPrior:
    """The prior that the options name, or the one that suits the capture; already checked against it.

    Raises:
        S3DError: the prior cannot work on this capture or on this machine.
    """
    name = default_masks(capture) if options.prior == "auto" else options.prior
    prior = MASK_PRIORS[name](options.felzenszwalb)
    prior.check(capture)
    return prior


def default_masks(capture: Capture) -> str:
    """`given` if at least one view has masks, else `felzenszwalb`."""
    has_masks = any(view.instance_path is not None for cluster in capture.clusters for view in cluster.views)
    return "given" if has_masks else "felzenszwalb"


def _given(options: FelzenszwalbOptions) -> MaskPrior:
    from s3d_splat.priors.masks.given import GivenMasks

    return GivenMasks()


def _felzenszwalb(options: FelzenszwalbOptions) -> MaskPrior:
    from s3d_splat.priors.masks.felzenszwalb import FelzenszwalbMasks

    return FelzenszwalbMasks(options)


MASK_PRIORS: dict[str, Callable[[FelzenszwalbOptions], MaskPrior]] = {"given": _given, "felzenszwalb": _felzenszwalb}
