"""A vector for every object, from its pictures."""

from dataclasses import replace

import numpy as np
import pytest

from s3d_splat.query.embed import View, embed_objects, spherical_median
from s3d_splat.query.picture_options import PictureOptions
from s3d_splat.query.views import look_at_objects
from tests.query.looks import BLUE, IDS, RED, MeanColour, look, squares
from tests.query.test_views import BOTH, POINTS

VIEWS = [View(f"images/{i}.png", lambda i=i: look(BOTH, x=0.01 * i)) for i in range(3)]
OPTIONS = PictureOptions(views=2, scales=(1.0, 1.2))


def unit(values) -> np.ndarray:
    return np.array(values) / np.linalg.norm(values)


def embedded(views=VIEWS, options=OPTIONS, known=None, encoder=None):
    seen = look_at_objects([view.look for view in views], IDS, POINTS)
    return embed_objects(views, seen, IDS, encoder or MeanColour(), options, known)


def test_vectors_are_those_of_the_objects_pixels() -> None:
    found = embedded()
    assert found.vector[0] == pytest.approx(unit(RED), abs=1e-6)
    assert found.vector[1] == pytest.approx(unit(BLUE), abs=1e-6)
    assert found.spread == pytest.approx([0, 0], abs=1e-6)
    assert found.encoder == "mean colour"
    assert found.frames == tuple(view.frame for view in VIEWS)
    assert found.pixels.tolist() == [[256, 256]] * 3


def test_crops_say_where_they_come_from() -> None:
    """Two views of two objects, with two scales and once without background: twelve. The box of scale 1 is the mask's."""
    found = embedded()
    assert len(found.crops) == 12
    assert {(crop.id, crop.background) for crop in found.crops} == {(3, True), (3, False), (7, True), (7, False)}
    assert {crop.box for crop in found.crops if crop.id == 3} == {(8, 8, 24, 24), (6, 6, 26, 26)}
    assert all(0 < crop.weight <= 1 for crop in found.crops)
    assert len(embedded(options=replace(OPTIONS, cut_out=False)).crops) == 8


def test_an_object_that_is_hardly_seen_has_no_vector() -> None:
    views = [View("images/0.png", lambda: look(squares((3, 8, 8, 24, 24), (7, 36, 36, 38, 38))))]
    found = embedded(views)
    assert found.vector[1].tolist() == [0, 0, 0]
    assert found.spread.tolist() == pytest.approx([0, 1], abs=1e-6)


def test_what_is_known_is_not_encoded_again() -> None:
    class Counting(MeanColour):
        pictures = 0

        def encode_pictures(self, pictures):
            self.pictures += len(pictures)
            return super().encode_pictures(pictures)

    encoder = Counting()
    known = embedded(encoder=encoder)
    assert encoder.pictures == 12
    half = replace(known, id=known.id[:1], vector=known.vector[:1], spread=known.spread[:1], pixels=known.pixels[:, :1])
    again = embedded(known=half, encoder=encoder)
    assert encoder.pictures == 18
    assert again.vector == pytest.approx(known.vector)
    assert sorted(crop.id for crop in again.crops) == [3] * 6 + [7] * 6
    with pytest.raises(ValueError, match="beside"):
        embedded(known=replace(known, encoder="another"))


def test_the_median_follows_the_many() -> None:
    """Two of three vectors are alike: the median is there, while a mean would lean towards the third."""
    vectors = np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    assert spherical_median(vectors, np.ones(3)) == pytest.approx([1, 0, 0], abs=1e-3)
    assert spherical_median(vectors, np.array([1.0, 1, 3])) == pytest.approx([0, 1, 0], abs=1e-3)
    turned = vectors[:, [2, 0, 1]]
    assert spherical_median(turned, np.ones(3)) == pytest.approx([0, 1, 0], abs=1e-3)
    assert spherical_median(vectors[:1], np.ones(1)).tolist() == [1, 0, 0]


def test_memory_holds_few_pictures_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of five give the same vectors as one of twelve."""
    whole = embedded().vector
    for limit, least in (("_AT_ONCE", 5), ("_BYTES", 3_000)):  # a picture has 16 x 16 or 20 x 20 pixels of 3 bytes
        batches: list[int] = []

        class Counting(MeanColour):
            def encode_pictures(self, pictures, batches=batches):
                batches.append(len(pictures))
                return super().encode_pictures(pictures)

        with monkeypatch.context() as patch:
            patch.setattr(f"s3d_splat.query.embed.{limit}", least)
            assert embedded(encoder=Counting()).vector == pytest.approx(whole)
        assert sum(batches) == 12
        assert max(batches) <= 5
