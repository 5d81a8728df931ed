"""Which images are matched."""

import numpy as np

from s3d_splat.priors.geometry.options import ColmapOptions
from s3d_splat.priors.geometry.pairs import candidate_pairs, similarity


def descriptors(rng: np.random.Generator, places: int) -> list[np.ndarray]:
    """What images of different places look like: nothing is shared."""
    return [rng.integers(0, 255, (40, 128)).astype(np.uint8) for _ in range(places)]


def test_small_clusters_are_matched_exhaustively() -> None:
    images = descriptors(np.random.default_rng(0), 4)
    assert candidate_pairs(images, ColmapOptions(exhaustive_up_to=4)) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


def test_neighbours_are_matched_and_strangers_are_not() -> None:
    images = descriptors(np.random.default_rng(0), 5)
    assert candidate_pairs(images, ColmapOptions(exhaustive_up_to=4, overlap=2)) == [
        *[(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4)]
    ]


def test_a_place_seen_again_is_found() -> None:
    images = descriptors(np.random.default_rng(0), 30)
    images[27] = images[3].copy()
    pairs = candidate_pairs(images, ColmapOptions(exhaustive_up_to=4, overlap=1))
    assert [(i, j) for i, j in pairs if j > i + 1] == [(3, 27)]


def test_similarity_counts_shared_features() -> None:
    rng = np.random.default_rng(1)
    first, second = descriptors(rng, 2)
    second[:12] = first[20:32]
    scores = similarity([first, second, np.zeros((0, 128), np.uint8)])
    assert scores.tolist() == [[0, 12, 0], [12, 0, 0], [0, 0, 0]]
