"""What every executor promises: the same results as one after the other, and that a failure costs its own job alone."""

import importlib.util
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.executors.base import Executor, Job
from s3d_splat.executors.options import RayOptions
from s3d_splat.executors.registry import EXECUTORS, make_executor

NO_RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
MARKS = {"ray": [NO_RAY]}


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, [])) for name in EXECUTORS], scope="module")
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    executor = make_executor(request.param, RayOptions(workers=2))
    yield executor
    executor.close()


def squares(numbers: list[int], advance: Advance) -> torch.Tensor:
    advance(1, 1)
    return torch.tensor(numbers, dtype=torch.float64) ** 2


def refuses(advance: Advance) -> torch.Tensor:
    raise S3DError("this cluster is empty", why="nothing is in it", fix="fill it")


def fails(advance: Advance) -> torch.Tensor:
    raise ZeroDivisionError("a bug")


def killed_once(folder: Path, advance: Advance) -> int:
    """Dies at its first try like a process that ran out of memory."""
    try:
        (folder / "tried").touch(exist_ok=False)
    except FileExistsError:
        return 7
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def always_killed(advance: Advance) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def test_it_has_its_name_in_the_table(executor: Executor) -> None:
    assert isinstance(executor, Executor)
    assert executor.name in EXECUTORS


def test_results_come_with_their_numbers(executor: Executor) -> None:
    jobs = [Job(f"job {i}", partial(squares, [i, i + 1])) for i in range(3)]
    found = dict(executor.run(jobs))
    assert sorted(found) == [0, 1, 2]
    for i, value in found.items():
        torch.testing.assert_close(value, torch.tensor([i**2, (i + 1) ** 2], dtype=torch.float64), rtol=0, atol=0)


def test_no_jobs_give_no_results(executor: Executor) -> None:
    assert list(executor.run([])) == []


def test_what_a_user_can_mend_is_told_as_it_is(executor: Executor) -> None:
    done: dict[int, object] = {}
    with pytest.raises(S3DError) as error:
        done.update(executor.run([Job("first", partial(squares, [3])), Job("second", refuses)]))
    assert (error.value.what, error.value.why, error.value.fix) == ("this cluster is empty", "nothing is in it", "fill it")
    assert list(done) == [0]


def test_a_bug_is_not_hidden(executor: Executor) -> None:
    with pytest.raises(ZeroDivisionError):
        list(executor.run([Job("wrong", fails)]))


@pytest.fixture(scope="module")
def ray() -> Iterator[Executor]:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    executor = make_executor("ray", RayOptions(workers=2, retries=1))
    yield executor
    executor.close()


def test_a_job_whose_process_was_killed_begins_again(ray: Executor, tmp_path: Path) -> None:
    jobs = [Job("killed", partial(killed_once, tmp_path)), Job("other", partial(squares, [2]))]
    found = dict(ray.run(jobs))
    assert found[0] == 7
    assert found[1].tolist() == [4.0]


def test_a_job_that_always_dies_costs_no_other(ray: Executor) -> None:
    found: dict[int, torch.Tensor] = {}
    with pytest.raises(S3DError, match=r"the process of 'hungry' died 2 times") as error:
        found.update(ray.run([Job("hungry", always_killed), Job("other", partial(squares, [2]))]))
    assert "memory" in error.value.why
    assert found[1].tolist() == [4.0]


def test_a_cluster_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("ray")
    monkeypatch.setattr(module, "is_initialized", lambda: False)
    monkeypatch.setattr(module, "init", lambda **options: (_ for _ in ()).throw(ConnectionError("nobody answers")))
    executor = make_executor("ray", RayOptions(address="ray://127.0.0.1:1"))
    with pytest.raises(S3DError, match=r"no Ray cluster could be reached \(nobody answers\)"):
        list(executor.run([Job("any", partial(squares, [1]))]))


def test_without_ray_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(S3DError, match="Ray is not installed") as error:
        make_executor("ray", RayOptions())
    assert "s3d-splat[ray]" in error.value.fix


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"cpus": 0.0}, {"gpus": -1.0}, {"retries": -1}])
def test_numbers_that_make_no_sense(wrong: dict) -> None:
    with pytest.raises(S3DError, match="ray cannot work with"):
        RayOptions(**wrong)
