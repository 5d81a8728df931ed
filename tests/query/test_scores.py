"""Cosines, relevancy, and which objects a phrase may mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.scores import best_labels, candidates, label_scores, relevancy, text_vectors


def encode(texts: Sequence[str]) -> torch.Tensor:
    axes = {"cup": [1.0, 0, 0], "a cup": [0, 1.0, 0], "hat": [0, 0, 1.0], "a hat": [0, 0, 1.0]}
    return torch.tensor([axes[text] for text in texts])


def test_templates_are_averaged_and_normalised() -> None:
    vectors = text_vectors(["cup", "hat"], encode, ["{}", "a {}"])
    np.testing.assert_allclose(vectors, [[0.5**0.5, 0.5**0.5, 0], [0, 0, 1]])


@pytest.mark.parametrize("templates", [[], ["a photo"]])
def test_templates_without_a_place_for_the_phrase(templates: list[str]) -> None:
    with pytest.raises(S3DError, match="the templates are"):
        text_vectors(["cup"], encode, templates)


def test_relevancy_is_the_least_softmax_over_negatives() -> None:
    cosine, negatives = np.array([0.30, 0.20]), np.array([[0.25, 0.10], [0.28, 0.20]])
    softmax = np.exp(10 * cosine) / (np.exp(10 * cosine) + np.exp(10 * negatives))
    np.testing.assert_allclose(relevancy(cosine, negatives.max(axis=0)), softmax.min(axis=0))
    assert relevancy(np.array([0.2]), np.array([0.2]))[0] == 0.5


def test_four_chairs_stay_and_the_table_goes() -> None:
    # Cosines as an encoder gives them: all alike, all above the negatives, the table a little.
    cosine = np.array([0.29, 0.27, 0.26, 0.265, 0.225, 0.19])
    negative = np.full(6, 0.21)
    expected = [True, True, True, True, False, False]
    np.testing.assert_array_equal(candidates(cosine, negative, np.ones(6, dtype=bool), QueryOptions()), expected)


def test_candidates_do_not_depend_on_the_encoder_s_scale() -> None:
    generator = np.random.default_rng(0)
    cosine, negative = generator.random(50), generator.random(50)
    known = generator.random(50) < 0.8
    kept = candidates(cosine, negative, known, QueryOptions())
    np.testing.assert_array_equal(candidates(0.1 * cosine + 0.2, 0.1 * negative + 0.2, known, QueryOptions()), kept)
    assert kept.any()
    assert not (kept & ~known).any()


def test_nothing_is_a_candidate_where_all_are_nearer_to_a_negative() -> None:
    known = np.ones(3, dtype=bool)
    assert not candidates(np.array([0.1, 0.2, 0.3]), np.full(3, 0.3), known, QueryOptions()).any()


def test_a_higher_least_relevancy_keeps_fewer() -> None:
    cosine, known = np.array([0.3, 0.5]), np.ones(2, dtype=bool)
    options = QueryOptions(least_relevancy=float(relevancy(np.array([0.4]), np.zeros(1))[0]), margin=0.0)
    np.testing.assert_array_equal(candidates(cosine, np.zeros(2), known, options), [False, True])


def test_margin_1_keeps_the_best_only() -> None:
    known = np.ones(3, dtype=bool)
    kept = candidates(np.array([0.3, 0.5, 0.4]), np.zeros(3), known, QueryOptions(margin=1.0))
    np.testing.assert_array_equal(kept, [False, True, False])


def test_best_labels() -> None:
    vectors = np.array([[0.6, 0.8], [0.0, 0.0], [1.0, 0.0]])
    index, cosine = best_labels(vectors, np.eye(2))
    np.testing.assert_array_equal(index, [1, -1, 0])
    np.testing.assert_allclose(cosine, [0.8, 0, 1])


def test_what_all_objects_share_decides_nothing() -> None:
    """Both objects lean towards label 0 by what they share. Vectors (1, 0) and (.8, .6), mean (.9, .3): of the second,
    (.8 - .9 s, .6 - .3 s), label 1 is the larger part from s = 1/3 on; at s = 0 it is label 0."""
    vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 0.0]])
    labels = np.eye(2)
    assert label_scores(vectors, labels, 0.0) == pytest.approx(vectors)
    assert label_scores(vectors, labels, 0.25)[1] == pytest.approx([0.8 - 0.225, 0.6 - 0.075])
    assert label_scores(vectors, labels, 0.25)[1].argmax() == 0
    assert label_scores(vectors, labels, 0.4)[1].argmax() == 1
    assert label_scores(vectors, labels, 0.4)[2].tolist() == [0, 0]
    assert label_scores(np.zeros((0, 2)), labels).shape == (0, 2)
