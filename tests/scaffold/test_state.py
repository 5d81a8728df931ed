"""The state of a field is checked before anything is built from it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from s3d_splat.scaffold.field import AnchorField, AnchorTable, field_from_state
from s3d_splat.scaffold.options import ScaffoldOptions
from s3d_splat.scaffold.placement import untouched
from s3d_splat.scaffold.state import check_state

OPTIONS = ScaffoldOptions(children=2, embedding=4, hidden=3, features=5)


def field(options: ScaffoldOptions, per_child: bool = False) -> AnchorField:
    generator = torch.Generator().manual_seed(0)
    k = options.children
    columns = [(3,), (options.embedding,), (3,), (k, 3), (k,), (k, 3), (k, 4), (k, 3)]
    columns.append((k, options.features) if per_child else (options.features,))
    table = AnchorTable(*(torch.randn(6, *shape, generator=generator) for shape in columns))
    return AnchorField(table, options, 7, generator)


@pytest.mark.parametrize(
    "options",
    [OPTIONS, replace(OPTIONS, view_dependent_opacity=True), replace(OPTIONS, appearance=3), replace(OPTIONS, children=1)],
)
@pytest.mark.parametrize("per_child", [False, True])
def test_every_field_passes(options: ScaffoldOptions, per_child: bool):
    trained = field(options, per_child)
    check_state(trained.state_dict(), options)
    edited = trained.edited(trained.anchors, untouched(6, options.children, trained.positions))
    check_state(edited.state_dict(), options)
    field_from_state(edited.state_dict(), options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("offsets"), "offsets is missing"),
        (lambda state: state.pop("placement_scale"), "placement_scale is missing"),
        (lambda state: state.update(other=torch.zeros(1)), "other is no part of a field"),
        (lambda state: state.update(offsets=torch.zeros(6, 3, 3)), "offsets is 6 x 3 x 3 instead of 6 x 2 x 3"),
        (lambda state: state.update(positions=torch.tensor(1.0)), "positions is one number instead of any x 3"),
        (lambda state: state.update(feature=torch.zeros(6, 1, 5)), "feature is 6 x 1 x 5 instead of 6 x 2 x any"),
        (lambda state: state.update(placement_scale=torch.zeros(5)), "placement_scale is 5 instead of 6"),
        (lambda state: state.update(offsets=torch.zeros(6, 2, 3).half()), r"offsets is torch\.float16"),
        (
            lambda state: state.update(offsets=torch.zeros(6, 2, 3).to_sparse()),
            r"float32, torch\.sparse_coo",
        ),
        (lambda state: state.update(offsets=torch.zeros(1).expand(6, 2, 3)), "offsets claims 36 numbers and holds fewer"),
        (
            lambda state: state.update(offsets=torch.full((6, 2, 3), torch.inf)),
            "offsets holds a number that is not finite",
        ),
        (lambda state: state.update(offsets=[1, 2]), "it holds no table of tensors"),
    ],
)
def test_what_does_not_fit_is_named(change: Callable[[dict], object], message: str):
    trained = field(OPTIONS)
    state = dict(trained.edited(trained.anchors, untouched(6, 2, trained.positions)).state_dict())
    change(state)
    with pytest.raises(ValueError, match=message):
        check_state(state, OPTIONS)


def test_a_value_that_is_no_table():
    with pytest.raises(ValueError, match="no table"):
        check_state(7, OPTIONS)
