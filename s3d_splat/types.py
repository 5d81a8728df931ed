"""The values that flow between the stages: frozen, with shapes and units, without behaviour.

Conventions, everywhere: OpenCV camera axes (x right, y down, z forward); pixel centres at +0.5; `T_dst_src` maps points of
`src` into `dst`; quaternions are `wxyz`; lengths are in metres (the scene folder's world, never recentred or rescaled);
colours are RGB in 0..1 unless a field says uint8; instance id 0 means "none", class id 0 means "unlabelled".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Camera:
    """One pinhole camera without distortion; focal lengths and principal point in pixels."""

    T_world_camera: Float[Tensor, "4 4"]
    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int


@dataclass(frozen=True)
class Lens:
    """The camera that took an image: radial and tangential distortion (OpenCV's k1 k2 p1 p2), undone at loading.

    The focal lengths and the principal point (pixels) belong to the stored image; undistortion changes those too.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    k1: float
    k2: float
    p1: float
    p2: float


@dataclass(frozen=True)
class Frame:
    """One posed image of a scene folder; the files are read by `io`, on demand."""

    file_path: str  # as written in transforms.json, relative to the scene folder, such as "images/0001.png"
    camera: Camera  # after undistortion
    split: Split
    image_path: Path
    depth_path: Path | None
    instance_path: Path | None
    semantic_path: Path | None
    lens: Lens | None  # None: the stored images are free of distortion
    depth_scale: float = 0.001  # metres for one count of the depth image
    confidence_path: Path | None = None  # uint8 image, 255 = the depth can be trusted fully
    mask_path: Path | None = None  # uint8 image, 0 = the pixel counts for nothing (nerfstudio's masks); None: all count


@dataclass(frozen=True)
class Observation:
    """The pixels of one frame, undistorted, all of the size of the frame's camera.

    Where the mask is False nothing is known: depth and labels are 0 there, and the colours mean nothing.
    """

    image: UInt8[Tensor, "h w 3"]
    depth: Float[Tensor, "h w"] | None  # metres along z, 0 = none
    instances: Int[Tensor, "h w"] | None  # int32, 0 = unlabelled
    semantics: Int[Tensor, "h w"] | None  # int32, 0 = unlabelled
    confidence: Float[Tensor, "h w"] | None = None  # of the depth, 0..1; None: nobody judged it
    mask: Bool[Tensor, "h w"] | None = None  # the pixels that count; None: all of them


@dataclass(frozen=True)
class ProxyGeometry:
    """Points on the surfaces of the world, from depth or structure from motion."""

    points: Float[Tensor, "n 3"]
    colours: Float[Tensor, "n 3"]
    normals: Float[Tensor, "n 3"] | None = None
    confidence: Float[Tensor, " n"] | None = None
    instances: Int[Tensor, " n"] | None = None


@dataclass(frozen=True)
class ClassInfo:
    """A semantic class of a scene; a stuff class (`is_thing` False) is one instance."""

    id: int
    name: str
    is_thing: bool


@dataclass(frozen=True)
class InstanceInfo:
    """A row of `instances.json`: what the masks with this id show."""

    id: int
    class_id: int
    class_name: str
    is_thing: bool
    score: float
    name: str | None = None


@dataclass(frozen=True)
class CaptureView:
    """What one cluster of a capture knows of one image, before any prior has run; all files have the image's size."""

    name: str  # file name in the scene folder, such as "0001.png": views of one name in several clusters show one image
    image_path: Path
    width: int
    height: int
    lens: Lens | None  # of the stored image, with or without distortion; None: unknown
    T_cluster_camera: Float[Tensor, "4 4"] | None  # in the cluster's own gauge; None: unknown
    split: Split | None = None  # None: not decided yet
    depth_path: Path | None = None
    depth_scale: float = 0.001  # units of the cluster's gauge for one count of the depth image
    confidence_path: Path | None = None
    instance_path: Path | None = None  # ids mean nothing outside the cluster
    mask_path: Path | None = None  # uint8 image, 0 = the pixel counts for nothing; None: all count


@dataclass(frozen=True)
class CaptureCluster:
    """Images that share one gauge and one table of ids, in the order of time."""

    views: tuple[CaptureView, ...]
    instances: tuple[InstanceInfo, ...] = ()


@dataclass(frozen=True)
class Capture:
    """What somebody brought home, read and checked: one cluster, or overlapping ones that agree in nothing."""

    root: Path
    format: str  # the reader that knows it
    names: tuple[str, ...]  # of all images, in the order of time
    clusters: tuple[CaptureCluster, ...]
    classes: tuple[ClassInfo, ...] = ()
    points: ProxyGeometry | None = None  # a cloud that came along, in the gauge of a capture's only cluster
    truth: Path | None = None  # a folder like SCENE/truth, for evaluation only


@dataclass(frozen=True)
class SparseDepth:
    """Depth at some pixels of an undistorted image, as structure from motion gives it."""

    pixels: Float[Tensor, "m 2"]  # x, y
    depth: Float[Tensor, " m"]  # along z, units of the gauge
    point: Int[Tensor, " m"]  # int64, row in the cluster's points


@dataclass(frozen=True)
class PosedCluster:
    """A cluster whose images have cameras in one gauge; images that could not be posed are left out."""

    frames: tuple[Frame, ...]  # `T_world_camera` and `depth_scale` are in the cluster's own gauge, any unit of length
    instances: tuple[InstanceInfo, ...] = ()
    points: ProxyGeometry | None = None  # in the gauge
    sparse: tuple[SparseDepth, ...] | None = None  # parallel to `frames`; None: depth comes from depth images alone


@dataclass(frozen=True)
class Scene:
    """A scene folder, read and checked: what every later stage takes."""

    root: Path
    frames: tuple[Frame, ...]
    proxy: ProxyGeometry
    classes: tuple[ClassInfo, ...]
    instances: tuple[InstanceInfo, ...]


@dataclass(frozen=True)
class Gaussians:
    """Decoded splats, ready to be rasterized from one camera (colours may depend on the view they were decoded for)."""

    means: Float[Tensor, "n 3"]
    log_scales: Float[Tensor, "n 3"]
    quaternions: Float[Tensor, "n 4"]  # wxyz, any non-zero length
    opacities: Float[Tensor, " n"]  # 0..1
    colours: Float[Tensor, "n 3"]
    features: Float[Tensor, "n c"] | None = None


@dataclass(frozen=True)
class ScreenStatistics:
    """Where each Gaussian fell on the screen. `means2d` is in the autograd graph: `retain_grad()` it to drive growth."""

    means2d: Float[Tensor, "n 2"]  # pixels
    radii: Float[Tensor, " n"]  # pixels, 0 = culled


@dataclass(frozen=True)
class RenderOutput:
    """One rasterized view. Depth is the expected depth, sum(w z) / alpha, 0 where alpha is 0."""

    colour: Float[Tensor, "h w 3"]
    alpha: Float[Tensor, "h w"]
    depth: Float[Tensor, "h w"]
    features: Float[Tensor, "h w c"] | None  # sum(w f): not divided by alpha
    screen: ScreenStatistics


@dataclass(frozen=True)
class LabelWeights:
    """Sparse [Gaussian, label] sums of rendering weights; each (gaussian, label) pair occurs once, in ascending order."""

    gaussian: Int[Tensor, " m"]  # int64
    label: Int[Tensor, " m"]  # int64
    weight: Float[Tensor, " m"]


@dataclass(frozen=True)
class InstanceSet:
    """The objects of a trained scene (`instances.npz`); ids are 1..K in no particular order, 0 = none."""

    anchor_instance: Int[Tensor, " a"]  # int32
    child_instance: Int[Tensor, "a k"]  # int32; what rendering uses
    instance_id: Int[Tensor, " K"]  # int32
    class_id: Int[Tensor, " K"]  # int32, 0 = unknown
    is_thing: Int[Tensor, " K"]  # int32, 0 or 1
    score: Float[Tensor, " K"]  # confidence, 0..1
    size: Int[Tensor, " K"]  # Gaussians that carry the id
    aabb: Float[Tensor, "K 2 3"]  # lowest and highest corner of its Gaussians' centres, metres


@dataclass(frozen=True)
class PanopticImage:
    """Per pixel: the instance with the largest accumulated rendering weight, its class and that weight's share."""

    instances: Int[Tensor, "h w"]  # int32, 0 = void
    semantics: Int[Tensor, "h w"]  # int32, 0 = void
    confidence: Float[Tensor, "h w"]  # 0..1
