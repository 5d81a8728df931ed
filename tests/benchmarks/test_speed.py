"""Aggregation by itself."""

import torch

from benchmarks.instances.speed import HALL, aggregation_speed, hall, speed_markdown
from s3d_splat.geometry.neighbours import nearest_neighbours


def test_a_row_tells_size_and_time() -> None:
    rows = aggregation_speed(((500, 40),))
    assert {key: rows[0][key] for key in ("anchors", "seeds")} == {"anchors": 500, "seeds": 40}
    assert rows[0]["seconds"] > 0
    assert rows[0]["clusters"] >= 1
    assert speed_markdown(rows).splitlines()[2].startswith("| 500 | 40 | ")


def test_anchors_lie_in_a_hall_and_neighbours_differ_as_after_training() -> None:
    positions, features, weights = hall(20_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(features.norm(dim=1), torch.ones(20_000))
    assert float((positions - HALL / 2).abs().max()) < 6 + 1
    assert 0.01 < float((weights == 0).float().mean()) < 0.03
    nearest = nearest_neighbours(positions, positions, 2)[1][:, 1]
    apart = (features - features[nearest]).norm(dim=1)
    assert 0.08 < float(apart.median()) < 0.15
    assert 0.6 < float(apart.quantile(0.9)) < 1.2
