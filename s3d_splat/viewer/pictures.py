"""From scene, state and camera to a picture; nothing here remembers anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from s3d_splat.panoptic.features import feature_picture
from s3d_splat.panoptic.palette import instance_picture, panoptic_picture
from s3d_splat.panoptic.render import render_panoptic
from s3d_splat.scaffold.field import AnchorField
from s3d_splat.scaffold.visibility import anchors_in_view
from s3d_splat.types import Camera, Gaussians, PanopticImage, RenderOutput
from s3d_splat.viewer.scene import ShownScene
from s3d_splat.viewer.state import ViewState

_SELECTED = (1.0, 0.55, 0.0)  # orange
_HIT = (1.0, 0.9, 0.2)  # yellow
_RIM = 2  # pixels of an outline
_FAR = 0.6  # of the scene's extent; depth beyond is all one colour
_HEAT = 0.65  # of the heat's colour over the grey image, where the score is 1


@dataclass(frozen=True)
class Picture:
    """What a browser gets, and what a click in it is answered from."""

    colour: UInt8[np.ndarray, "h w 3"]
    camera: Camera
    ids: Int[Tensor, "h w"] | None  # the object of each pixel, 0 = none; None: nobody asked
    depth: Float[Tensor, "h w"]  # metres along z, 0 = none


@torch.no_grad()
def take_picture(scene: ShownScene, state: ViewState, camera: Camera, with_ids: bool) -> Picture:
    """The picture that a state asks for; `with_ids`: also the objects of its pixels, whatever the mode."""
    gaussians, child = visible_gaussians(scene, state, camera, with_features=state.mode == "features")
    output = scene.rasterizer.render(gaussians, camera)
    outlined = state.selected > 0 or bool(state.scores)
    panoptic = None
    if with_ids or outlined or state.mode in ("instances", "panoptic", "relevancy"):
        panoptic = render_panoptic(gaussians, child, scene.instances, scene.rasterizer, camera)
    shown = _in_mode(scene, state, output, panoptic)
    if panoptic is not None and outlined:
        shown = _outlined(shown, panoptic.instances, state)
    return Picture(
        colour=(shown.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy(),
        camera=camera,
        ids=None if panoptic is None else panoptic.instances.cpu(),
        depth=output.depth.cpu(),
    )


def visible_gaussians(
    scene: ShownScene, state: ViewState, camera: Camera, with_features: bool = False
) -> tuple[Gaussians, Int[Tensor, " n"]]:
    """The Gaussians that may reach into the view, those of hidden objects without opacity, and the object of each."""
    rows = rows_in_view(scene.field, camera)
    gaussians = scene.field.decode(camera, rows, with_features=with_features)
    child = scene.instances.child_instance[rows.cpu()].reshape(-1).to(gaussians.means.device)
    if state.hidden or state.solo:
        kept = kept_gaussians(child, state)
        gaussians = replace(gaussians, opacities=torch.where(kept, gaussians.opacities, 0.0))
    return gaussians, child


def rows_in_view(field: AnchorField, camera: Camera) -> Int[Tensor, " v"]:
    """Anchors that may reach into the view. Those that editing made larger reach further than they tell: they all may."""
    rows = anchors_in_view(field, camera)
    if field.placement is None:
        return rows
    return torch.cat([rows, torch.nonzero(field.placement.scale > 1)[:, 0]]).unique()


def kept_gaussians(child: Int[Tensor, " n"], state: ViewState) -> Bool[Tensor, " n"]:
    """Which Gaussians are in the picture, by the object of each."""
    chosen = sorted(state.solo or state.hidden)
    inside = torch.isin(child, torch.tensor(chosen, dtype=child.dtype, device=child.device))
    if not state.solo:
        return ~inside
    hidden = torch.tensor(sorted(state.hidden), dtype=child.dtype, device=child.device)
    return inside & ~torch.isin(child, hidden)


def _in_mode(
    scene: ShownScene, state: ViewState, output: RenderOutput, panoptic: PanopticImage | None
) -> Float[Tensor, "h w 3"]:
    if state.mode == "depth":
        return depth_picture(output.depth, _FAR * scene.extent)
    if state.mode == "features" and scene.basis is not None and output.features is not None:
        return feature_picture(output.features, scene.basis)
    if panoptic is not None:
        if state.mode == "instances":
            return instance_picture(panoptic.instances)
        if state.mode == "panoptic":
            return panoptic_picture(panoptic, output.colour)
        if state.mode == "relevancy":
            return heat_picture(panoptic.instances, state.scores, output.colour)
    return output.colour


def depth_picture(depth: Float[Tensor, "h w"], far: float) -> Float[Tensor, "h w 3"]:
    """Near is red, `far` metres and beyond is dark blue, nothing is black; the same colours from wherever one looks."""
    nearness = (1 - depth / max(far, 1e-6)).clamp(0, 1)
    colours = _turbo(nearness)
    return torch.where((depth > 0)[..., None], colours, 0.0)


def heat_picture(
    ids: Int[Tensor, "h w"], scores: Mapping[int, float], colour: Float[Tensor, "h w 3"]
) -> Float[Tensor, "h w 3"]:
    """The view in grey, warmer the better an object fits the question (score 0..1)."""
    present, place = ids.long().unique(return_inverse=True)
    heat = torch.tensor([float(scores.get(id, 0.0)) for id in present.tolist()], device=colour.device)[place]
    grey = colour.clamp(0, 1).mean(dim=2, keepdim=True).expand(-1, -1, 3)
    share = (_HEAT * (heat > 0))[..., None]
    return share * _turbo(0.25 + 0.75 * heat) + (1 - share) * grey


def _turbo(values: Float[Tensor, "h w"]) -> Float[Tensor, "h w 3"]:
    counts = (values * 255).round().to(torch.uint8).cpu().numpy()
    colours = cv2.cvtColor(cv2.applyColorMap(counts, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    return torch.from_numpy(colours).to(values.device).float() / 255


def _outlined(picture: Float[Tensor, "h w 3"], ids: Int[Tensor, "h w"], state: ViewState) -> Float[Tensor, "h w 3"]:
    """Hits of a question outlined in yellow, the selected object in orange."""
    if state.mode != "relevancy":
        for id in state.scores:
            picture = _with_rim(picture, ids == id, _HIT)
    return _with_rim(picture, ids == state.selected, _SELECTED) if state.selected else picture


def _with_rim(
    picture: Float[Tensor, "h w 3"], mask: Bool[Tensor, "h w"], colour: tuple[float, float, float]
) -> Float[Tensor, "h w 3"]:
    around = cv2.dilate(mask.cpu().numpy().astype(np.uint8), np.ones((2 * _RIM + 1, 2 * _RIM + 1), dtype=np.uint8))
    grown = torch.from_numpy(around).to(mask.device) > 0
    return torch.where((grown & ~mask)[..., None], picture.new_tensor(colour), picture)
