"""What the training masks say about every Gaussian: one lift per view, kept as a sparse matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from scipy.sparse import csr_matrix
from torch import Tensor

from s3d_splat.instances.consensus import Labels, Overlap, cluster_columns
from s3d_splat.instances.masks import canonical_masks
from s3d_splat.instances.options import ReliftOptions
from s3d_splat.raster.base import Rasterizer
from s3d_splat.types import Camera, Gaussians

Decode = Callable[[Camera], Gaussians]

ANYWHERE = Camera(torch.eye(4), fx=1.0, fy=1.0, cx=0.5, cy=0.5, width=1, height=1)  # centres are the same for every camera


@dataclass(frozen=True)
class MaskedView:
    """A training view with its masks; whether an id means anything in other views has to be found out."""

    camera: Camera
    instances: Int[Tensor, "h w"]  # 0 = unlabelled
    semantics: Int[Tensor, "h w"] | None = None  # 0 = unlabelled
    mask: Bool[Tensor, "h w"] | None = None  # the pixels that say anything; None: all of them


@dataclass(frozen=True)
class MaskClasses:
    """What masks show: the class of each mask id (used where a view has no semantic image), and which classes are stuff."""

    of_id: Mapping[int, int]
    stuff: frozenset[int]


@dataclass(frozen=True)
class MaskEvidence:
    """Rendering weights of n Gaussians under the m masks of all views; a stuff class is one mask of a view."""

    weights: csr_matrix  # [m, n], pixels
    view: np.ndarray  # [m] the view each mask belongs to
    class_id: np.ndarray  # [m] 0 = unknown
    stuff: np.ndarray  # [m] bool
    given_id: np.ndarray  # [m] what the view calls the mask
    seen: np.ndarray  # [n] rendering weight over all pixels, unlabelled ones included, those that count for nothing not
    means: np.ndarray  # [n, 3] centres, metres


def gather_evidence(
    views: Iterable[MaskedView], decode: Decode, rasterizer: Rasterizer, classes: MaskClasses, options: ReliftOptions
) -> MaskEvidence:
    """Lift the masks of every view onto the Gaussians that `decode` gives for its camera (always the same number).

    Masks under `options.min_pixels` count as unlabelled, and weights under `options.min_weight` as none. Without a view
    nothing is seen.
    """
    rows, columns, values = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    view_of, class_of, id_of = ([np.zeros(0, np.int64)] for _ in range(3))
    means = decode(ANYWHERE).means.detach().cpu().numpy().astype(np.float64)
    seen, total = np.zeros(len(means)), 0
    for number, view in enumerate(views):
        masks, class_ids, given_ids = _masks_with_classes(view, classes, options.min_pixels)
        if view.mask is not None:
            masks = torch.where(view.mask.to(masks.device), masks, len(class_ids) + 1)  # what is seen there is forgotten
        lifted = rasterizer.lift(decode(view.camera), view.camera, masks)
        gaussian, label, weight = (value.cpu().numpy() for value in (lifted.gaussian, lifted.label, lifted.weight))
        says = label <= len(class_ids)
        gaussian, label, weight = gaussian[says], label[says], weight[says]
        seen += np.bincount(gaussian, weights=weight, minlength=len(seen))
        kept = (label > 0) & (weight >= options.min_weight)
        rows.append(label[kept] - 1 + total)
        columns.append(gaussian[kept])
        values.append(weight[kept].astype(np.float64))
        view_of.append(np.full(len(class_ids), number))
        class_of.append(class_ids)
        id_of.append(given_ids)
        total += len(class_ids)
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    class_id = np.concatenate(class_of)
    return MaskEvidence(
        weights=csr_matrix(entries, shape=(total, len(seen))),
        view=np.concatenate(view_of),
        class_id=class_id,
        stuff=np.isin(class_id, list(classes.stuff)),
        given_id=np.concatenate(id_of),
        seen=seen,
        means=means,
    )


def clusters_under_masks(evidence: MaskEvidence, labels: Labels, count: int) -> Overlap:
    """How clusters 0..count - 1 of the Gaussians (negative label: in none) lie under the masks."""
    return Overlap(csr_matrix(evidence.weights @ cluster_columns(labels, count)), evidence.view)


def _masks_with_classes(
    view: MaskedView, classes: MaskClasses, min_pixels: int
) -> tuple[Int[Tensor, "h w"], np.ndarray, np.ndarray]:
    """Canonical masks of a view, small ones removed and stuff of one class joined; the class and the given id of each."""
    labels, ids = canonical_masks(view.instances)
    if view.semantics is None:
        class_ids = np.array([0] + [classes.of_id.get(int(i), 0) for i in ids], dtype=np.int64)
    else:
        class_ids = _majority_class(labels, view.semantics, len(ids))
    target = np.arange(len(class_ids))
    for stuff in sorted(classes.stuff & set(class_ids.tolist())):
        same = np.flatnonzero(class_ids == stuff)
        target[same] = same[0]
    target[0] = 0
    joined = target[labels.cpu().numpy()]
    sizes = np.bincount(joined.ravel(), minlength=len(target))
    joined[sizes[joined] < min_pixels] = 0
    result, kept = canonical_masks(torch.from_numpy(joined.astype(np.int32)).to(labels.device))
    own = kept.cpu().numpy()
    return result, class_ids[own], np.concatenate(([0], ids.cpu().numpy()))[own]


def _majority_class(masks: Int[Tensor, "h w"], semantics: Int[Tensor, "h w"], count: int) -> np.ndarray:
    """[count + 1] most frequent non-zero class of each mask 0..count (ties: lowest class), 0 where there is none."""
    mask, semantic = masks.cpu().numpy().ravel(), semantics.cpu().numpy().ravel()
    base = int(semantic.max(initial=0)) + 1
    votes = np.bincount(mask * base + semantic, minlength=(count + 1) * base).reshape(count + 1, base)
    votes[:, 0] = 0
    return np.where(votes.any(1), votes.argmax(1), 0)
