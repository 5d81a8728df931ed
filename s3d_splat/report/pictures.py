"""The pictures of one test view: truth, rendered and difference, for colour, depth, instances and panoptic labels.

In label pictures a true object has the colour of the prediction that matches it, so that equal colours mean equal objects;
a missed object is hatched. Depths of one view share one range.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.world import TruthPlacement, true_cameras, truth_placement
from s3d_splat.io.images import Content, read_colours, read_counts
from s3d_splat.io.observations import load_observation
from s3d_splat.io.run_folder import RunFolder
from s3d_splat.panoptic.palette import colourise, panoptic_picture
from s3d_splat.report.views import View
from s3d_splat.types import Observation, PanopticImage

Pixels = UInt8[np.ndarray, "h w 3"]
Labels = Int[np.ndarray, "h w"]
Metres = Float[np.ndarray, "h w"]

MAX_WIDTH = 480  # pixels of an embedded picture
COLOUR_FULL_SCALE = 0.25  # mean absolute difference over the channels (of 0..1) that is drawn brightest
DEPTH_FULL_SCALE = 0.2  # metres of difference that are drawn brightest
WRONG, UNLABELLED = (213, 94, 0), (86, 180, 233)  # told apart with any colour vision (Okabe and Ito)
HATCH = ((120, 120, 120), (215, 215, 215))


@dataclass(frozen=True)
class Picture:
    """An embedded picture, or why there is none."""

    uri: str | None
    note: str


@dataclass(frozen=True)
class Comparison:
    """One kind of image of one view."""

    title: str
    truth: Picture
    rendered: Picture
    difference: Picture


def compare(view: View, scene_root: Path, folder: RunFolder, matches: Mapping[int, int]) -> list[Comparison]:
    """All comparisons of a view. A file that is missing, damaged or of another size gives a picture with its reason.

    Args:
        scene_root: its `truth/depth`, if it has one, goes before the depth that training may use.
        matches: predicted id of each true instance (0: missed); empty if nobody compared the objects.
    """
    truth = load_observation(view.frame)
    labels = _TruthLabels.read(view, folder)
    return [
        _compare_colour(view, folder, truth),
        _compare_depth(view, folder, _true_depth(view, scene_root, truth)),
        _compare_instances(view, folder, truth, labels, matches),
        _compare_panoptic(view, folder, truth, labels, matches),
    ]


def paint_depth(depth: Metres, near: float, far: float) -> Pixels:
    """Depths in the viridis map, from `near` (dark) to `far` (bright), metres; no depth is grey."""
    import cv2

    shade = np.clip((depth - near) / max(far - near, 1e-6), 0, 1)
    painted = _mapped(shade, cv2.COLORMAP_VIRIDIS)
    painted[depth <= 0] = (128, 128, 128)
    return painted


def matched_labels(truth: Labels, matches: Mapping[int, int]) -> Labels:
    """The true ids as the predicted ids that match them; 0 where there is none."""
    present, index = np.unique(truth, return_inverse=True)
    return np.array([matches.get(int(label), 0) for label in present], dtype=np.int64)[index.reshape(truth.shape)]


def encode(pixels: Pixels, *, flat: bool) -> str:
    """A data URI, at most `MAX_WIDTH` wide: PNG for pictures with flat areas of exact colour, else JPEG."""
    image = Image.fromarray(pixels)
    if image.width > MAX_WIDTH:
        size = (MAX_WIDTH, max(1, round(image.height * MAX_WIDTH / image.width)))
        image = image.resize(size, Image.Resampling.NEAREST if flat else Image.Resampling.LANCZOS)
    kind, buffer = ("png" if flat else "jpeg"), io.BytesIO()
    image.save(buffer, kind, optimize=True, quality=82)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


@dataclass(frozen=True)
class _TruthLabels:
    """What evaluation took as the truth of a view; None with the reason where there is none."""

    instances: Labels | None
    semantics: Labels | None
    why_not: str

    @staticmethod
    def read(view: View, folder: RunFolder) -> _TruthLabels:
        root, shape = folder.root / "eval" / "truth", (view.frame.camera.height, view.frame.camera.width)
        instances, why_instances = _counts(root / "instances" / f"{view.name}.png", "instances", shape)
        semantics, why_semantics = _counts(root / "semantics" / f"{view.name}.png", "semantics", shape)
        return _TruthLabels(instances, semantics, why_instances or why_semantics)


def _compare_colour(view: View, folder: RunFolder, truth: Observation) -> Comparison:
    image = truth.image.numpy()
    true_picture = Picture(encode(image, flat=False), "")
    rendered, why = _colours(folder.renders("test", "colour") / f"{view.name}.png", image.shape[:2])
    if rendered is None:
        return Comparison("Colour", true_picture, Picture(None, why), Picture(None, "nothing to compare"))
    import cv2

    error = np.abs(rendered.astype(np.float32) - image).mean(axis=2) / 255
    if truth.mask is not None:
        error = error * truth.mask.numpy()  # what counts for nothing is no difference
    difference = _mapped(error / COLOUR_FULL_SCALE, cv2.COLORMAP_INFERNO)
    return Comparison(
        "Colour", true_picture, Picture(encode(rendered, flat=False), ""), Picture(encode(difference, flat=False), "")
    )


def _compare_depth(view: View, folder: RunFolder, true: Metres | None) -> Comparison:
    shape = (view.frame.camera.height, view.frame.camera.width)
    counts, why = _counts(folder.renders("test", "depth") / f"{view.name}.png", "depth", shape)
    rendered = None if counts is None else counts.astype(np.float32) / 1000
    known = [depth[depth > 0] for depth in (true, rendered) if depth is not None and (depth > 0).any()]
    near, far = np.percentile(np.concatenate(known), (1, 99)) if known else (0.0, 1.0)
    reach = f"{near:.2f} to {far:.2f} m"
    true_picture = _depth_picture(true, near, far, reach, "the scene has no depth for this view")
    rendered_picture = _depth_picture(rendered, near, far, reach, why)
    if rendered is None or true is None:
        return Comparison("Depth", true_picture, rendered_picture, Picture(None, "nothing to compare"))
    import cv2

    difference = _mapped(np.abs(rendered - true) / DEPTH_FULL_SCALE, cv2.COLORMAP_INFERNO)
    difference[(rendered <= 0) | (true <= 0)] = (128, 128, 128)
    return Comparison("Depth", true_picture, rendered_picture, Picture(encode(difference, flat=False), ""))


def _true_depth(view: View, scene_root: Path, observed: Observation) -> Metres | None:
    shape = (view.frame.camera.height, view.frame.camera.width)
    exact, _ = _counts(scene_root / "truth" / "depth" / f"{view.name}.png", "depth", shape)
    placement = None if exact is None else _placement(scene_root)
    if exact is not None and placement is not None:
        return exact.astype(np.float32) * np.float32(placement.scale) / 1000
    return None if observed.depth is None else observed.depth.numpy()


def _placement(scene_root: Path) -> TruthPlacement | None:
    """How the truth lies in the scene's world; None if that cannot be found out."""
    try:
        placement = truth_placement(true_cameras(scene_root))
    except S3DError:
        return None
    return None if placement.T_scene_truth is None else placement


def _depth_picture(depth: Metres | None, near: float, far: float, note: str, why_not: str) -> Picture:
    return Picture(None, why_not) if depth is None else Picture(encode(paint_depth(depth, near, far), flat=False), note)


def _compare_instances(
    view: View, folder: RunFolder, truth: Observation, labels: _TruthLabels, matches: Mapping[int, int]
) -> Comparison:
    shape = (view.frame.camera.height, view.frame.camera.width)
    predicted, why = _counts(folder.renders("test", "instances") / f"{view.name}.png", "instances", shape)
    rendered = Picture(None, why) if predicted is None else Picture(encode(_painted(predicted), flat=True), "")
    if labels.instances is None:
        return Comparison("Instances", Picture(None, labels.why_not), rendered, Picture(None, "nothing to compare"))
    if not matches:
        true = Picture(encode(_painted(labels.instances), flat=True), "its own colours: objects were not matched")
        return Comparison("Instances", true, rendered, Picture(None, "objects were not matched"))
    wanted = matched_labels(labels.instances, matches)
    true = Picture(encode(_hatched(wanted, labels.instances), flat=True), "")
    if predicted is None:
        return Comparison("Instances", true, rendered, Picture(None, "nothing to compare"))
    difference = _label_errors(truth.image.numpy(), predicted, wanted, labels.instances > 0)
    return Comparison("Instances", true, rendered, Picture(encode(difference, flat=True), ""))


def _compare_panoptic(
    view: View, folder: RunFolder, truth: Observation, labels: _TruthLabels, matches: Mapping[int, int]
) -> Comparison:
    image, title = truth.image.numpy(), "Panoptic"
    picture, why = _colours(folder.renders("test", "panoptic") / f"{view.name}.png", image.shape[:2])
    rendered = Picture(None, why) if picture is None else Picture(encode(picture, flat=False), "")
    if labels.instances is None or labels.semantics is None:
        return Comparison(title, Picture(None, labels.why_not), rendered, Picture(None, "nothing to compare"))
    ids = matched_labels(labels.instances, matches) if matches else labels.instances
    missed = (labels.instances > 0) & (ids == 0)
    ids = np.where(missed, labels.instances + int(ids.max()) + 1, ids)  # missed objects keep a colour, one that nothing has
    true = PanopticImage(_tensor(ids), _tensor(labels.semantics), torch.ones(ids.shape))
    painted = panoptic_picture(true, truth.image.float() / 255)
    true_picture = Picture(encode((painted.numpy() * 255).round().astype(np.uint8), flat=False), "")
    predicted, why = _counts(folder.renders("test", "semantics") / f"{view.name}.png", "semantics", image.shape[:2])
    if predicted is None:
        return Comparison(title, true_picture, rendered, Picture(None, why))
    difference = _label_errors(image, predicted, labels.semantics, labels.semantics > 0)
    return Comparison(title, true_picture, rendered, Picture(encode(difference, flat=True), ""))


def _hatched(wanted: Labels, truth: Labels) -> Pixels:
    """The matched ids in their colours; true objects without a match under diagonal stripes."""
    rows, columns = np.indices(truth.shape)
    stripe = ((rows + columns) // max(2, truth.shape[1] // 80)) % 2
    missed = (truth > 0) & (wanted == 0)
    return np.where(missed[..., None], np.array(HATCH, np.uint8)[stripe], _painted(wanted))


def _label_errors(image: Pixels, predicted: Labels, wanted: Labels, known: Bool[np.ndarray, "h w"]) -> Pixels:
    """The photograph in grey, with wrong and unlabelled pixels painted over; dark where the truth says nothing."""
    grey = image.mean(axis=2, keepdims=True)
    picture = np.broadcast_to(60 + 0.5 * grey, image.shape).astype(np.uint8)
    wrong = known & (predicted != wanted)
    picture[wrong] = WRONG
    picture[known & (predicted == 0)] = UNLABELLED
    picture[~known] = (0.3 * grey[~known]).astype(np.uint8)
    return picture


def _mapped(shade: Float[np.ndarray, "h w"], colour_map: int) -> Pixels:
    import cv2

    painted = cv2.applyColorMap((np.clip(shade, 0, 1) * 255).astype(np.uint8), colour_map)
    return np.ascontiguousarray(painted[..., ::-1])  # cv2 gives blue, green, red


def _painted(ids: Labels) -> Pixels:
    return colourise(_tensor(ids)).numpy()


def _tensor(labels: Labels) -> torch.Tensor:
    return torch.from_numpy(labels.astype(np.int32))


def _counts(path: Path, content: Content, shape: tuple[int, ...]) -> tuple[Labels | None, str]:
    try:
        counts = read_counts(path, content, where=path.stem)
    except S3DError:
        return None, _reason(path)
    return (counts.astype(np.int64), "") if counts.shape == shape else (None, _other_size(path))


def _colours(path: Path, shape: tuple[int, ...]) -> tuple[Pixels | None, str]:
    try:
        colours = read_colours(path, where=path.stem)
    except S3DError:
        return None, _reason(path)
    return (colours, "") if colours.shape[:2] == shape else (None, _other_size(path))


def _reason(path: Path) -> str:
    return f"{_place(path)} cannot be read" if path.exists() else f"{_place(path)} is not there"


def _other_size(path: Path) -> str:
    return f"{_place(path)} has another size than the camera"


def _place(path: Path) -> str:
    """A picture's path inside the run folder, such as renders/test/colour/NAME.png."""
    return "/".join(path.parts[-4:])
