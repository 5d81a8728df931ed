"""Where clusters are cut: anew from their Gaussians if they are small, along one view if they are large."""

import numpy as np
import pytest

from s3d_splat.instances.relift import cuts
from s3d_splat.instances.relift.cuts import divided_labels
from tests.instances.flat_scene import evidence

ONE = [0] * 6


@pytest.fixture
def large(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether every cluster counts as large."""
    monkeypatch.setattr(cuts, "MAX_ATOMS", 0 if request.param else 1_000)


def divided(views: list[list[int]], labels: list[int], min_pixels: int = 1, divisible: bool = True) -> list[int]:
    masks, count = evidence(*views), max(labels) + 1
    chosen = np.full(count, divisible)
    return divided_labels(masks, np.array(labels), chosen, 0.6, min_pixels).tolist()


@pytest.mark.parametrize("large", [False, True], ids=["anew", "along a view"], indirect=True)
@pytest.mark.usefixtures("large")
class TestBothWays:
    def test_a_cluster_of_two_objects_is_two(self) -> None:
        """New labels begin where the old ones end."""
        assert divided([[1, 1, 1, 2, 2, 2], [2, 2, 2, 1, 1, 1]], ONE) in ([1, 1, 1, 2, 2, 2], [2, 2, 2, 1, 1, 1])

    def test_two_clusters_are_cut_each_for_itself(self) -> None:
        labels = divided([[1, 1, 2, 2, 1, 1, 2, 2]] * 2, [0] * 4 + [1] * 4)
        assert [len(set(labels[at : at + 2])) for at in (0, 2, 4, 6)] == [1] * 4
        assert len(set(labels)) == 4

    def test_what_is_not_divisible_stays(self) -> None:
        assert divided([[1, 1, 1, 2, 2, 2]] * 2, ONE, divisible=False) == ONE

    def test_what_agrees_with_itself_stays(self) -> None:
        """(5^2 + 1) / 6^2 = 0.72."""
        assert divided([[1, 1, 1, 1, 1, 2]] * 2, ONE) == ONE

    def test_parts_that_hardly_show_keep_the_label(self) -> None:
        """Gaussian 3 has one pixel a view, the other parts three."""
        labels = divided([[1, 1, 1, 2, 3, 3, 3]] * 2, [0] * 7, min_pixels=3)
        assert labels[3] == 0
        assert len({*labels[:3]}) == len({*labels[4:]}) == 1
        assert len(set(labels)) == 3


@pytest.mark.parametrize("large", [True], ids=["along a view"], indirect=True)
@pytest.mark.usefixtures("large")
class TestAlongAView:
    def test_what_the_telling_view_does_not_show_keeps_the_label(self) -> None:
        """The first view tells most pairs apart, and does not show the last Gaussian."""
        views = [[1, 1, 1, 2, 2, 2, -1], [1, 1, 1, -1, -1, -1, 2], [-1, -1, -1, 1, 1, 1, 2]]
        labels = divided(views, [0] * 7)
        assert labels[6] == 0
        assert len({*labels[:3]}) == len({*labels[3:6]}) == 1
        assert labels[0] != labels[3]

    def test_a_mask_with_little_of_the_cluster_cuts_nothing_off(self) -> None:
        """One Gaussian of twenty-one is under a tenth; the two parts of ten are not."""
        labels = divided([[1] * 10 + [2] * 10 + [3]] * 2, [0] * 21)
        assert labels[20] == 0
        assert len({*labels[:10]}) == len({*labels[10:20]}) == 1
        assert 0 not in labels[:20]
