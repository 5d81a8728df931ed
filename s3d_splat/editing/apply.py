"""One operation on a scene, checked and done."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from s3d_splat.editing.operations import Duplicate, Extract, Move, Operation, Recolour, Remove, Rotate, Scale
from s3d_splat.editing.placing import duplicate, move, recolour, rotate, scale
from s3d_splat.editing.removal import extract, remove
from s3d_splat.editing.values import EditableScene, EditResult, Surroundings
from s3d_splat.errors import S3DError

_FAR = 1e6  # metres; scenes end long before


@torch.no_grad()
def apply(scene: EditableScene, operation: Operation, around: Surroundings) -> EditResult:
    """The scene after an operation; the given one stays as it is, and both share what is the same.

    Raises:
        S3DError: an id that the scene lacks, a number that makes no sense, or nothing would be left.
    """
    check(operation, scene.instances.instance_id.tolist())
    match operation:
        case Remove():
            return remove(scene, operation, around)
        case Extract():
            return extract(scene, operation)
        case Recolour():
            return recolour(scene, operation, around)
        case Move():
            return move(scene, operation)
        case Rotate():
            return rotate(scene, operation)
        case Scale():
            return scale(scene, operation)
        case Duplicate():
            return duplicate(scene, operation)


def check_all(steps: Sequence[Operation], known: Sequence[int]) -> None:
    """Raise S3DError where one of several operations cannot be done, after those before it."""
    present = set(known)
    for step in steps:
        check(step, sorted(present))
        match step:
            case Remove(ids=ids):
                present -= set(ids)
            case Extract(ids=ids):
                present = set(ids)
            case Duplicate(ids=ids):
                present |= set(range(max(present) + 1, max(present) + 1 + len(ids)))


def check(operation: Operation, known: Sequence[int]) -> None:
    """Raise S3DError for an operation that cannot be done to a scene with these object ids."""
    _check_ids(operation, known)
    _check_numbers(operation)
    if isinstance(operation, Remove) and not set(known) - set(operation.ids):
        raise S3DError(
            "nothing would be left", why="every object of the scene is to be removed", fix="leave one object at least"
        )


def _check_ids(operation: Operation, known: Sequence[int]) -> None:
    name = type(operation).__name__.lower()
    strange = sorted(set(operation.ids) - set(known))
    if strange or not operation.ids:
        what = f"there is no object {strange[0]} to {name}" if strange else f"{name} names no object"
        raise S3DError(
            what, why=f"the scene has {_ranges(known)}", fix="name ids of the scene: s3d-splat edit RUN lists them"
        )
    if len(set(operation.ids)) < len(operation.ids):
        raise S3DError(
            f"{name} names an object twice", why="an operation is done once to each object", fix="name each id once"
        )


def _check_numbers(operation: Operation) -> None:
    numbers: tuple[float, ...]
    match operation:
        case Move(by=by) | Duplicate(by=by):
            numbers = by
            wrong, need = not all(abs(n) <= _FAR for n in numbers), "three numbers of metres, up to a million"
        case Rotate(axis=axis, degrees=degrees):
            numbers = (*axis, degrees)
            wrong = not _finite(numbers) or not 1e-6 <= max(map(abs, axis)) <= _FAR
            need = "an axis other than 0 0 0, of a length from a millionth to a million, and finite degrees"
        case Scale(factor=factor):
            numbers = (factor,)
            wrong, need = not (_finite(numbers) and 1e-3 <= factor <= 1e3), "a factor from 0.001 to 1000"
        case Recolour(colour=colour, strength=strength):
            numbers = (*colour, strength)
            wrong, need = not all(0 <= number <= 1 for number in numbers), "red, green, blue and strength from 0 to 1"
        case _:
            return
    if wrong:
        name = type(operation).__name__.lower()
        raise S3DError(
            f"{name} with {', '.join(f'{n:g}' for n in numbers)} makes no sense", why=f"it needs {need}", fix=f"give {need}"
        )


def _finite(numbers: Sequence[float]) -> bool:
    return all(math.isfinite(number) for number in numbers)


def _ranges(ids: Sequence[int]) -> str:
    """ "objects 1..5, 7": ids in few words."""
    runs: list[list[int]] = []
    for id in sorted(ids):
        if runs and id == runs[-1][1] + 1:
            runs[-1][1] = id
        else:
            runs.append([id, id])
    words = ", ".join(str(a) if a == b else f"{a}..{b}" for a, b in runs)
    return f"objects {words}" if words else "no objects"
