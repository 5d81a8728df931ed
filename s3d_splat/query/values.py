"""What a question is asked of: the objects of a scene as geometry knows them, and as an encoder sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class ObjectTable:
    """What geometry knows of the k objects of a scene, stuff included; row i of every array is one object.

    Lengths in metres, in a frame whose z axis points up (`T_upright_world` turns the scene's world into it, without moving
    or scaling anything else).
    """

    id: Int[np.ndarray, " k"]  # ascending
    class_name: tuple[str, ...]  # "" = unknown
    is_thing: Bool[np.ndarray, " k"]
    centre: Float[np.ndarray, "k 3"]  # of the box
    box: Float[np.ndarray, "k 2 3"]  # lowest and highest corner of nearly all of its points
    colour: Float[np.ndarray, "k 3"]  # RGB 0..1, the one that most of its surface has
    points: tuple[Float[np.ndarray, "_ 3"], ...]  # a few hundred at most of each object, spread over it
    T_upright_world: Float[np.ndarray, "4 4"]


@dataclass(frozen=True)
class InstanceEmbeddings:
    """The vectors of the k objects of a run, made with one encoder."""

    encoder: str  # its name: vectors of another one mean nothing beside these
    id: Int[np.ndarray, " k"]  # ascending
    vector: Float[np.ndarray, "k d"]  # unit length; 0 where no view shows the object well enough
    spread: Float[np.ndarray, " k"]  # 1 - mean cosine of its crops with its vector: 0 = they all agree; 1 without a crop
    crops: tuple[CropOfObject, ...]
    frames: tuple[str, ...]  # file_path of the v views that were looked at
    pixels: Int[np.ndarray, "v k"]  # of each object in each of them


@dataclass(frozen=True)
class CropOfObject:
    """A picture that counted for an object's vector."""

    id: int
    frame: str  # file_path of the frame
    box: tuple[int, int, int, int]  # left, top, right, bottom; pixels, right and bottom exclusive
    background: bool  # was it left in the picture?
    weight: float  # 0..1 within the object


@dataclass(frozen=True)
class Viewpoints:
    """Where the scene was seen from: "left of" and "behind" mean something only to who looks."""

    T_world_camera: Float[np.ndarray, "v 4 4"]  # OpenCV axes; the scene's world, not the upright frame
    shown: Bool[np.ndarray, "v k"]  # does the view show enough of the object in row i of the `ObjectTable`?
