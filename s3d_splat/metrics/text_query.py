"""Text queries over points: every point takes the class whose name its feature is most like.

Source: the ScanNet protocol of OpenGaussian (Y. Wu et al., NeurIPS 2024), with 19, 15 or 10 class names as queries. Points
of other true classes are not looked at; a scene's mean runs over the classes that it has, and scenes have equal weight.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from s3d_splat.metrics.semantic import SemanticIoU


class TextQueryQuality:
    """`semantic_miou`, `semantic_macc` (mean recall), and what they hide: how many points no score speaks about.

    Where all scores of a point are equal nothing is known of it, and the benchmark takes the first class (wall, mostly
    right). `semantic_miou_no_guess` takes such points as unlabelled instead; `unscored` is their share.
    """

    def __init__(self, classes: Sequence[int]) -> None:
        """Args: classes: the ids that are asked for, in the order of the scores."""
        self.classes = tuple(classes)
        self.reset()

    def reset(self) -> None:
        """Forget every scene."""
        self.sums = np.zeros(4)
        self.scenes = 0
        self.pooled = SemanticIoU()

    def update(self, scores: Float[np.ndarray, "n k"], truth: Int[np.ndarray, " n"]) -> dict[str, float | None]:
        """Add one scene and return its own values; a scene without a point of the classes does not count.

        Args:
            scores: of each point for each class, finite.
            truth: class ids, 0 = unlabelled.
        """
        asked = np.where(np.isin(truth, self.classes), truth, 0)
        known = speaks(scores)
        found = np.array(self.classes)[scores.argmax(axis=1)] if len(scores) else np.zeros(0, np.int64)
        plain, no_guess = SemanticIoU(), SemanticIoU()
        plain.update(found, asked)
        no_guess.update(np.where(known, found, 0), asked)
        self.pooled.merge(plain)
        values = plain.compute() | {"semantic_miou_no_guess": no_guess.compute()["semantic_miou"], "unscored": None}
        if (asked > 0).any():
            values["unscored"] = float((~known[asked > 0]).mean())
            self.sums = self.sums + np.array(list(values.values()), dtype=np.float64)
            self.scenes += 1
        return values

    def merge(self, other: TextQueryQuality) -> None:
        """Add what another accumulator of the same classes has seen."""
        self.sums = self.sums + other.sums
        self.scenes += other.scenes
        self.pooled.merge(other.pooled)

    def compute(self) -> dict[str, float | None]:
        """`semantic_miou semantic_macc semantic_miou_no_guess unscored`: means over scenes, None without any."""
        names = ("semantic_miou", "semantic_macc", "semantic_miou_no_guess", "unscored")
        values = [None] * 4 if self.scenes == 0 else (self.sums / self.scenes).tolist()
        return dict(zip(names, values, strict=True))

    def per_class(self) -> dict[int, dict[str, float]]:
        """IoU and recall of every true class over the points of all scenes together."""
        recalls = self.pooled.recalls()
        return {label: {"iou": iou, "recall": recalls[label]} for label, iou in self.pooled.per_class().items()}


def speaks(scores: Float[np.ndarray, "n k"]) -> Bool[np.ndarray, " n"]:
    """Whether the scores of a point say anything: they differ, or there is one class only and its score is not 0."""
    if scores.shape[1] == 1:
        return scores[:, 0] != 0
    return (scores != scores[:, :1]).any(axis=1)


def cosine_scores(features: Float[np.ndarray, "m d"], queries: Float[np.ndarray, "k d"]) -> Float[np.ndarray, "m k"]:
    """Cosine of every feature with every query, in double precision; 0 where either has no length."""
    return _unit(features) @ _unit(queries).T


def _unit(vectors: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m d"]:
    vectors = vectors.astype(np.float64)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
