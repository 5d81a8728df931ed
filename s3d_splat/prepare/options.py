"""What `s3d-splat prepare` can be asked for; plain values, so that `--help` needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from operator import attrgetter

from s3d_splat.alignment.options import AlignmentOptions
from s3d_splat.errors import S3DError
from s3d_splat.executors.options import ExecutorChoice, RayOptions
from s3d_splat.io.readers.options import FrameChoice
from s3d_splat.priors.geometry.options import ColmapOptions, DenseOptions, DepthAnything3Options, GeometryChoice
from s3d_splat.priors.masks.options import (
    EomtOptions,
    FelzenszwalbOptions,
    Mask2FormerOptions,
    MaskChoice,
    Sam2Options,
    Sam3Options,
)

_RANGES = (  # least and most of each number
    ("alignment.fusion.cell", 1e-5, math.inf), ("alignment.fusion.images", 1, math.inf),
    ("alignment.fusion.cells", 1000, math.inf), ("alignment.identity.cell", 1e-5, math.inf),
    ("colmap.max_image_size", 64, math.inf), ("colmap.max_features", 64, math.inf),
    ("colmap.exhaustive_up_to", 0, math.inf), ("colmap.overlap", 1, math.inf), ("colmap.similar", 0, math.inf),
    ("colmap.threads", 1, math.inf), ("dense.max_image_size", 64, math.inf), ("dense.sweep_size", 64, math.inf),
    ("dense.planes", 16, math.inf), ("dense.neighbours", 2, math.inf), ("dense.least_agreeing", 1, math.inf),
    ("dense.threads", 1, math.inf), ("felzenszwalb.scale", 1e-3, math.inf), ("felzenszwalb.smallest", 0, 0.5),
    ("felzenszwalb.depth_weight", 0, math.inf), ("felzenszwalb.threads", 1, math.inf),
    ("sam2.propose.points", 1, 256), ("sam2.propose.batch", 1, math.inf), ("sam2.propose.smallest", 0, 0.5),
    ("sam2.propose.uncovered", 0, 1), ("sam2.track.chunk", 1, math.inf), ("sam2.track.objects", 1, 65535),
    ("sam2.track.every", 1, math.inf), ("sam3.propose.points", 1, 256), ("sam3.propose.batch", 1, math.inf),
    ("sam3.propose.smallest", 0, 0.5), ("sam3.propose.uncovered", 0, 1), ("sam3.track.chunk", 1, math.inf),
    ("sam3.track.objects", 1, 65535), ("sam3.track.every", 1, math.inf), ("mask2former.score", 0, 1), ("eomt.score", 0, 1),
    ("depth_anything3.image_size", 56, math.inf), ("depth_anything3.drop", 0, 0.9),
)  # fmt: skip


@dataclass(frozen=True)
class PrepareOptions:
    """Everything that decides what a capture becomes."""

    format: str | None = None  # raw, video, nerfstudio, colmap, scannet, sens, ... ; None: recognised from the files
    frames: int | None = None  # images at most, the sharpest of as many equal parts; None: all (of a video: see --fps)
    fps: float | None = None  # images for each second of a video, each the sharpest of its time; None: 2
    geometry: GeometryChoice = "auto"  # where cameras and depth come from; auto: the capture where it has them, else colmap
    masks: MaskChoice = "auto"  # where masks come from; auto: the capture where it has them, else felzenszwalb
    ego_mask: bool = True  # look for what carries the camera (a gripper, a bonnet) in the images, and leave it out
    test_every: int = 8  # every n-th image is a test frame where the capture does not say; 0: none
    alignment: AlignmentOptions = field(default_factory=AlignmentOptions)
    colmap: ColmapOptions = field(default_factory=ColmapOptions)
    depth_anything3: DepthAnything3Options = field(default_factory=DepthAnything3Options)
    dense: DenseOptions = field(default_factory=DenseOptions)
    felzenszwalb: FelzenszwalbOptions = field(default_factory=FelzenszwalbOptions)
    sam2: Sam2Options = field(default_factory=Sam2Options)
    sam3: Sam3Options = field(default_factory=Sam3Options)
    mask2former: Mask2FormerOptions = field(default_factory=Mask2FormerOptions)
    eomt: EomtOptions = field(default_factory=EomtOptions)
    accept_licence: tuple[str, ...] = ()  # of weights that forbid commercial use, such as CC-BY-NC-4.0
    executor: ExecutorChoice = "local"  # where clusters get cameras, depth and masks: one by one here, or on Ray
    ray: RayOptions = field(default_factory=RayOptions)

    @property
    def choice(self) -> FrameChoice:
        """Which images are taken."""
        return FrameChoice(self.frames, self.fps)

    def __post_init__(self) -> None:
        FrameChoice(self.frames, self.fps)  # says what is wrong with them
        if self.test_every < 0 or self.test_every == 1:
            raise S3DError(
                f"--test-every {self.test_every} leaves no frame to train on",
                why="the scene is learned from train frames alone",
                fix="give 2 or more, or 0 for no test frames",
            )
        for name, least, most in _RANGES:
            value = attrgetter(name)(self)
            if not least <= value <= most:
                raise S3DError(
                    f"--{name.replace('_', '-')} {value} cannot be used",
                    why=f"it is at least {least:g}" + ("" if math.isinf(most) else f" and at most {most:g}"),
                    fix=f"leave it away ({attrgetter(name)(PrepareOptions())}), or give a number of that range",
                )
