"""What can be chosen about training; plain values, so that a command line can show them without loading torch."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stage:
    """One part of progressive training (InstanceGaussian, section 3.2)."""

    name: str
    share: float  # of all steps
    features: bool = False  # is the instance feature rendered and learnt?
    feature_geometry: bool = False  # does the feature loss also move and reshape the Gaussians?
    truncate_push: bool = False  # do pairs of masks that are already apart stop repelling?
    feature_rate: float = 1.0  # factor on the feature's learning rate
    growth: bool = False  # are anchors added and removed?


PROGRESSIVE: tuple[Stage, ...] = (
    Stage("appearance", share=0.4, growth=True),
    Stage("features", share=0.3, features=True),
    Stage("joint", share=0.3, features=True, feature_geometry=True, truncate_push=True, feature_rate=0.1),
)


@dataclass(frozen=True)
class LossWeights:
    """Weights of the loss terms (FEATURE terms after InstanceGaussian's ScanNet setting)."""

    dssim: float = 0.2  # share of 1 - SSIM in the image loss; L1 has the rest
    push: float = 1.0
    pull: float = 0.1
    depth: float = 0.3  # L1 of the rendered depth against the scene's, per metre; counts where a frame has depth
    thin: float = 0.05  # log ratio by which axes of a Gaussian are shorter than `min_thickness`


@dataclass(frozen=True)
class LearningRates:
    """Adam's step sizes at the start; the ones with an `_end` fall to it exponentially."""

    embedding: float = 0.0075
    feature: float = 0.001
    extent: float = 0.007
    offset: float = 0.01
    offset_end: float = 1e-4
    opacity: float = 0.05
    scale: float = 0.01
    quaternion: float = 0.005
    colour: float = 0.02
    colour_end: float = 0.002
    opacity_head: float = 0.002
    opacity_head_end: float = 2e-5
    shape_head: float = 0.004
    colour_head: float = 0.008
    colour_head_end: float = 5e-5
    appearance: float = 0.05
    appearance_end: float = 5e-4


@dataclass(frozen=True)
class TrainingOptions:
    """How long and how a field is trained."""

    steps: int = 30_000
    stages: tuple[Stage, ...] = PROGRESSIVE
    freeze_appearance: bool = False  # do geometry and looks stay as they are in stages that learn features?
    weights: LossWeights = field(default_factory=LossWeights)
    rates: LearningRates = field(default_factory=LearningRates)
    random_background: bool = True
    push_distance: float = 0.4  # a pair of mask means further apart (L2) is left alone where a stage truncates
    min_mask_pixels: int = 10  # smaller masks teach nothing
    min_thickness: float = 0.07  # of the anchors' voxel; a Gaussian with a shorter axis (sigma) is too thin
    min_alpha: float = 0.7  # pixels under this opacity teach the features nothing
    seed: int = 0
    checkpoint_seconds: float = 20.0  # time between two checkpoints
    log_every: int = 10  # steps between two lines of log.jsonl
