"""The report says what happened, whatever the names in it, and needs nothing from outside."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from s3d_splat.alignment.identity.values import Identities
from s3d_splat.prepare.map import ground_of
from s3d_splat.prepare.page import report_html
from tests.prepare.fabricated import fabricated_findings


def test_the_page_tells_all_of_it():
    html = report_html(fabricated_findings())
    for words in (
        "A scene of 24 of 25 images, from 3 clusters, with 2 things; geometry: given, masks: given; made in 24 s.",
        "Left out because they are black: dark.png (1).",
        "Measured edges between clusters that were rejected: 1 of 4.",
        "the loop disagrees with &lt;all&gt; the others",
        "1.020 <span",  # the depth correction
        "its points are those of object &lt;2&gt;",
        "cluster 2: 00016.png to 00023.png",
    ):
        assert words in html
    assert len(re.findall(r'<td class="track"', html)) == 3
    assert len(re.findall(r'<rect class="object"', html)) == 2  # things; the third is stuff


def test_the_page_is_complete_in_itself_and_escaped():
    html = report_html(fabricated_findings())
    assert "my <scene>" not in html
    assert "chair & co" not in html
    assert not re.search(r"(src|href)=\"(?!data:|#)", html)
    assert html.count("<section") == html.count("</section>") == 7


def test_one_cluster_without_objects_is_said_plainly():
    findings = fabricated_findings(12, 1, 1)
    nothing = Identities((), (), findings.identities.point_instances * 0, {}, ())
    alone = replace(findings, alignment=replace(findings.alignment, edges=()), identities=nothing, masks="felzenszwalb")
    html = report_html(alone)
    for words in (
        "from one piece",
        "there was nothing to join",
        "No object was found",
        "regions of even colour",
        "No mask was",
    ):
        assert words in html


def test_the_summary_is_plain():
    summary = fabricated_findings().summary()
    assert (summary["frames"], summary["images"], summary["clusters"]) == (24, 25, 3)
    assert (summary["edges"], summary["loops"], summary["edges_rejected"]) == (3, 1, 1)
    assert (summary["things"], summary["stuff"], summary["masks_rejected"]) == (2, 1, 3)
    assert summary["residual"] == 0.004


def test_the_map_is_seen_from_above_and_not_mirrored():
    centres = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [4.0, 2.0, 0.0]])
    ground = ground_of(centres, np.array([0.0, 0.0, 1.0]), np.zeros((0, 3)))
    first, second, third = ground.place(centres)
    along, then = second - first, third - second
    assert along[0] * then[1] - along[1] * then[0] < 0  # a left turn is a left turn where y runs down
    np.testing.assert_allclose(np.linalg.norm(along) / np.linalg.norm(then), 2.0)
    assert (ground.place(centres) >= 0).all()


def test_the_map_of_a_camera_that_only_climbs():
    centres = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 2.0]])
    ground = ground_of(centres, np.array([0.0, 0.0, 1.0]), np.zeros((0, 3)))
    assert np.isfinite(ground.place(centres)).all()
