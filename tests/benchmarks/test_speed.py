"""Aggregation by itself."""

import torch

from benchmarks.instances.speed import aggregation_speed, blobs, speed_markdown


def test_a_row_tells_size_and_time() -> None:
    rows = aggregation_speed(((500, 40),))
    assert {key: rows[0][key] for key in ("anchors", "seeds")} == {"anchors": 500, "seeds": 40}
    assert rows[0]["seconds"] > 0
    assert rows[0]["clusters"] >= 1
    assert speed_markdown(rows).splitlines()[2].startswith("| 500 | 40 | ")


def test_features_have_unit_length_and_objects_are_boxes() -> None:
    positions, features = blobs(1000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(features.norm(dim=1), torch.ones(1000))
    assert positions.shape == (1000, 3)
    assert float(positions.abs().max()) < 12 + 1
