"""The largest entry of each row of a sparse matrix."""

import numpy as np
from scipy.sparse import csr_matrix, random

from s3d_splat.instances.consensus import strongest_columns


def test_the_largest_entry_counts_and_of_equals_the_first():
    rows = np.array([[0.0, 2.0, 1.0], [0.0, 0.0, 0.0], [3.0, 0.0, 3.0], [0.0, 0.0, 5.0]])
    assert strongest_columns(csr_matrix(rows)).tolist() == [1, 0, 0, 2]
    assert strongest_columns(csr_matrix((0, 3))).tolist() == []
    assert strongest_columns(csr_matrix((2, 3))).tolist() == [0, 0]


def test_a_stored_zero_is_a_zero():
    stored = csr_matrix((np.array([0.0, 0.0]), (np.array([0, 1]), np.array([2, 1]))), shape=(2, 3))
    assert strongest_columns(stored).tolist() == [0, 0]


def test_it_is_what_argmax_says():
    matrix = csr_matrix(random(300, 40, density=0.1, random_state=1))
    matrix.data = np.round(matrix.data * 4)  # many equal entries, and stored zeros
    assert np.array_equal(strongest_columns(matrix), np.asarray(matrix.argmax(axis=1)).ravel())
