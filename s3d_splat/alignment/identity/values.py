"""What becomes of the ids of a capture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.types import ClassInfo, InstanceInfo


@dataclass(frozen=True)
class ObjectTrack:
    """In which images (places in the order of time) one object was found; a list for each thing that can happen."""

    given: tuple[int, ...]  # a mask was given, and the image shows the object
    filled: tuple[int, ...]  # no mask was given; it was drawn from other images
    rejected: tuple[int, ...]  # a mask was given, but the other images see something else there


@dataclass(frozen=True)
class Rejection:
    """A mask that tells nothing of the object whose id it carries."""

    frame: int  # place in the order of time
    cluster: int
    given_id: int  # in the cluster's own table
    reason: str


@dataclass(frozen=True)
class Identities:
    """One id per object over the whole capture; ids are 1..K in the order in which objects first appear."""

    instances: tuple[InstanceInfo, ...]
    classes: tuple[ClassInfo, ...]
    point_instances: Int[Tensor, " n"]  # int32, parallel to the proxy's points, 0 = none
    tracks: dict[int, ObjectTrack]  # by global id
    rejected: tuple[Rejection, ...]


@dataclass(frozen=True)
class Cells:
    """How many of a frame's lifted pixels each mask has in each cell of space; each (cell, id) pair occurs once."""

    key: Int[np.ndarray, " m"]  # int64, of the cell
    id: Int[np.ndarray, " m"]  # given id > 0
    count: Float[np.ndarray, " m"]  # pixels


@dataclass(frozen=True)
class LiftedFrame:
    """One image with its masks in space."""

    index: int  # place in the order of time
    is_test: bool
    clusters: tuple[int, ...]  # of the sources that have masks
    cells: tuple[Cells, ...]  # parallel to `clusters`
    pixels: tuple[Int[np.ndarray, " p"], ...]  # parallel to `clusters`: the given id of some pixels, the same for all
    labelled: tuple[tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]], ...]  # given ids and their pixel counts


@dataclass(frozen=True)
class View:
    """What the images of a view say together: votes of its tracks for cells, and which tracks were seen side by side."""

    track: Int[np.ndarray, " m"]  # each (track, key) pair occurs once
    key: Int[np.ndarray, " m"]
    count: Float[np.ndarray, " m"]  # pixels
    beside: Int[np.ndarray, "s 2"]  # pairs of tracks with masks in one image, ascending in each row
    beside_frames: Int[np.ndarray, " s"]  # in how many
