"""The table of mask priors, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable

from s3d_splat.priors.masks.base import MaskPrior
from s3d_splat.priors.masks.options import MaskOptions
from s3d_splat.types import Capture


def make_mask_prior(options: MaskOptions, capture: Capture) -> MaskPrior:
    """The prior that the options name, or the one that suits the capture; already checked against it.

    Raises:
        S3DError: the prior cannot work on this capture or on this machine.
    """
    name = default_masks(capture) if options.prior == "auto" else options.prior
    prior = MASK_PRIORS[name](options)
    prior.check(capture)
    return prior


def default_masks(capture: Capture) -> str:
    """`given` if at least one view has masks, else `felzenszwalb`."""
    has_masks = any(view.instance_path is not None for cluster in capture.clusters for view in cluster.views)
    return "given" if has_masks else "felzenszwalb"


def _given(options: MaskOptions) -> MaskPrior:
    from s3d_splat.priors.masks.given import GivenMasks

    return GivenMasks()


def _felzenszwalb(options: MaskOptions) -> MaskPrior:
    from s3d_splat.priors.masks.felzenszwalb import FelzenszwalbMasks

    return FelzenszwalbMasks(options.felzenszwalb)


def _sam2(options: MaskOptions) -> MaskPrior:
    from s3d_splat.priors.masks.sam2 import Sam2Masks

    return Sam2Masks(options.sam2, options.accept_licence)


def _sam3(options: MaskOptions) -> MaskPrior:
    from s3d_splat.priors.masks.sam3 import Sam3Masks

    return Sam3Masks(options.sam3, options.accept_licence)


def _mask2former(options: MaskOptions) -> MaskPrior:
    from s3d_splat.priors.masks.panoptic import PanopticMasks

    return PanopticMasks("mask2former", options.mask2former, options.accept_licence)


def _eomt(options: MaskOptions) -> MaskPrior:
    from s3d_splat.priors.masks.panoptic import PanopticMasks

    return PanopticMasks("eomt", options.eomt, options.accept_licence)


MASK_PRIORS: dict[str, Callable[[MaskOptions], MaskPrior]] = {
    "given": _given,
    "felzenszwalb": _felzenszwalb,
    "sam2": _sam2,
    "sam3": _sam3,
    "mask2former": _mask2former,
    "eomt": _eomt,
}
