"""The figures of the benchmark of removal."""

import pytest
import torch

from benchmarks.editing import by_kind, gradient_energy, summary, table


def row(on: str, psnr: float, gradient: float, changed: float = 0.001) -> dict:
    return {
        **{"room": 0, "object": "thing", "on": on, "pixels": 200, "seconds": 2.0},
        **{"psnr": psnr, "gradient": gradient, "changed": changed},
    }


def test_gradient_energy_counts_steps_inside_the_region_alone():
    image = torch.zeros(4, 5, 3)
    image[:, 2:] = 0.5  # a step of 0.5 in three channels between columns 1 and 2
    everywhere = torch.ones(4, 5, dtype=torch.bool)
    assert gradient_energy(image, everywhere) == pytest.approx(4 * 3 * 0.25)
    region = everywhere.clone()
    region[0] = False
    assert gradient_energy(image, region) == pytest.approx(3 * 3 * 0.25)
    region[:, 2] = False
    assert gradient_energy(image, region) == 0


def test_kinds_are_counted_by_what_they_reach():
    rows = [row("floor", 25.0, 0.8), row("floor", 15.0, 1.6, 0.02), row("wall", 30.0, 1.0)]
    kinds = by_kind(rows)
    assert list(kinds) == ["all", "floor", "wall"]
    assert kinds["floor"]["psnr"] == pytest.approx(20)
    assert (kinds["floor"]["psnr_reached"], kinds["floor"]["gradient_reached"]) == (1, 1)
    assert kinds["all"]["objects"] == 3
    assert kinds["all"]["changed_most"] == 0.02
    assert kinds["wall"]["psnr_unfilled"] is None
    assert "| floor | 2 | 20.0 | - | 1 |" in summary(rows)
    assert table(rows).count("\n| 0 | thing |") == 3
