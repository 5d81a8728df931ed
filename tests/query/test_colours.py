"""Names of measured colours."""

from __future__ import annotations

import numpy as np
import pytest

from s3d_splat.query.colours import _REGIONS, agreement, oklab
from s3d_splat.query.words import COLOURS


def rgb(text: str) -> np.ndarray:
    return np.array([int(text[i : i + 2], 16) / 255 for i in (0, 2, 4)])


def test_oklab_of_published_colours() -> None:
    # Ottosson 2020: white is (1, 0, 0); pure red and blue as computed with the author's own code.
    lab = oklab(np.array([[1.0, 1, 1], [0, 0, 0], [1, 0, 0], [0, 0, 1]]))
    expected = [[1, 0, 0], [0, 0, 0], [0.62796, 0.22486, 0.12585], [0.45201, -0.03246, -0.31153]]
    np.testing.assert_allclose(lab, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("111111", "black"),
        ("999999", "grey"),
        ("fafafa", "white"),
        ("b22222", "red"),
        ("8b0000", "red"),
        ("ff9500", "orange"),
        ("ffe135", "yellow"),
        ("228b22", "green"),
        ("2f6040", "green"),
        ("3cc8c0", "turquoise"),
        ("2040a0", "blue"),
        ("101858", "blue"),
        ("9cc8e8", "blue"),
        ("7030a0", "purple"),
        ("ffb0c4", "pink"),
        ("6f4020", "brown"),
        ("d8c8a4", "beige"),
    ],
)
def test_name_of_a_colour(text: str, name: str) -> None:
    assert agreement(rgb(text)[None], [name])[0] == 1
    assert all(agreement(rgb(text)[None], [other])[0] < 1 for other in _REGIONS if other != name)


@pytest.mark.parametrize("light", [0.35, 0.6, 1.0])
@pytest.mark.parametrize(
    ("text", "name"), [("e02020", "red"), ("2860e0", "blue"), ("30b040", "green"), ("9040b0", "purple")]
)
def test_light_does_not_take_a_colour_s_name(text: str, name: str, light: float) -> None:
    shaded = (rgb(text) ** 2.2 * light) ** (1 / 2.2)
    assert agreement(shaded[None], [name])[0] > 0.5


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("e02020", "blue"),
        ("e02020", "green"),
        ("2040a0", "red"),
        ("ffffff", "black"),
        ("101010", "white"),
        ("808080", "yellow"),
    ],
)
def test_a_wrong_name_does_not_agree(text: str, wrong: str) -> None:
    assert agreement(rgb(text)[None], [wrong])[0] < 0.1


def test_a_colour_on_a_border_agrees_with_both_sides() -> None:
    assert agreement(rgb("6a7fa0")[None], ["blue"])[0] > 0.7
    assert agreement(rgb("6a7fa0")[None], ["grey"])[0] > 0.7


def test_several_names_agree_as_well_as_the_best() -> None:
    colours = np.stack([rgb("e02020"), rgb("ffffff"), rgb("2040a0")])
    both = agreement(colours, ["red", "white"])
    np.testing.assert_array_equal(both, np.maximum(agreement(colours, ["red"]), agreement(colours, ["white"])))


def test_every_colour_word_has_a_region() -> None:
    for names in COLOURS.values():
        assert agreement(np.full((1, 3), 0.5), names).shape == (1,)


def test_turquoise_is_a_kind_of_green_and_of_blue() -> None:
    """Exactly turquoise: 0.02 farther away for the two, exp(-(0.02 / 0.035)^2 / 2); for others it is not."""
    colour = np.array([[0x30, 0x60, 0x5F]]) / 255
    expected = np.exp(-0.5 * (0.02 / 0.035) ** 2)
    assert agreement(colour, ("turquoise",)).tolist() == [1]
    assert agreement(colour, ("green",)) == pytest.approx([expected])
    assert agreement(colour, ("blue",)) == pytest.approx([expected])
    assert agreement(colour, ("red",)) < 0.01
