"""Options refuse what cannot be built, and say how to mend it."""

import subprocess
import sys

import pytest

from s3d_splat.errors import S3DError
from s3d_splat.synthetic.options import FAULT_NAMES, SynthOptions, fault_level, parse_fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("drop", ("drop", 1.0)),
        ("drift=0.5", ("drift", 0.5)),
        ("renumber=frame", ("renumber", "frame")),
        ("drop=0", ("drop", 0.0)),
    ],
)
def test_a_fault_is_a_name_with_an_optional_level(text: str, fault: tuple[str, object]) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blur", "There is no fault 'blur'"),
        ("drop=many", "is not a number"),
        ("drop=frame", "takes no 'frame'"),
        ("drop=-1", "out of range"),
        ("drop=nan", "out of range"),
    ],
)
def test_a_wrong_fault_is_named(text: str, message: str) -> None:
    with pytest.raises(S3DError, match=message):
        parse_fault(text)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frames": 3}, "3 frames are too few"),
        ({"width": 8}, "too small"),
        ({"rooms": 0}, "0 rooms"),
        ({"seed": -1}, "negative"),
        ({"faults": (("gauge", 1.0),)}, "'gauge' moves clusters"),
        ({"faults": (("drop", 1.0), ("drop", 2.0))}, "given twice"),
        ({"faults": (("blur", 1.0),)}, "no fault 'blur'"),
    ],
)
def test_impossible_options_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(S3DError, match=message):
        SynthOptions(**values)


def test_levels_are_looked_up_by_name() -> None:
    options = SynthOptions(faults=(("drop", 0.5), ("renumber", "frame")))
    assert [fault_level(options, name) for name in ("drop", "renumber", "merge")] == [0.5, 1.0, 0.0]
    assert len(FAULT_NAMES) == 10


def test_the_options_do_not_load_torch() -> None:
    code = "import sys, s3d_splat.synthetic.options; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
