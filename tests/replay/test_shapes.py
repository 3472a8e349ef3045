"""Each operation of the client against every shape of reply that the contract allows, and some that it does not.

The client returns something, or raises a `TinybirdError`: never a KeyError, TypeError, AttributeError, JSONDecodeError
or the like; nor does looking at what it returned.
"""

from __future__ import annotations

import dataclasses
import traceback
import types

import pytest

from tests.replay.conftest import usual_answer
from tests.replay.operations import FURTHER, OPERATIONS, operation_of
from tests.replay.shapes import shapes_of
from tinymagic.api.errors import TinybirdError

BY_NAME = {operation.name: operation for operation in OPERATIONS}
CASES = {
    **{operation.name: (operation, operation.call) for operation in OPERATIONS if operation.call is not None},
    **{label: (BY_NAME[name], call) for label, (name, call) in FURTHER.items()},
}


def look_at(value, depth=3):
    """Use what a call returned, as people do: print it, and read each of its properties."""
    repr(value)
    str(value)
    if depth == 0:
        return
    if isinstance(value, (list, tuple)):
        for each in value[:3]:
            look_at(each, depth - 1)
    elif dataclasses.is_dataclass(value):
        for name in dir(type(value)):
            if not name.startswith("_") and isinstance(getattr(type(value), name), property):
                look_at(getattr(value, name), depth - 1)
        for field in dataclasses.fields(value):
            look_at(getattr(value, field.name), depth - 1)
        if hasattr(value, "sentence"):
            assert isinstance(value.sentence(), str)
    elif isinstance(value, types.GeneratorType):
        look_at(list(value), depth - 1)


def replay_one(replay, workspace, operation, call, shape):
    """Return what is wrong with a call of *operation* that gets *shape*, or ``None``."""
    replay.seen.clear()
    replay.answer_for = lambda asked: shape if operation_of(asked.line) is operation else usual_answer(asked)
    try:
        result = call(workspace)
    except TinybirdError as error:
        if not str(error).strip():
            return "an error without a sentence"
        if "MARKED-SIGN" in f"{error}{error!r}{vars(error)}":
            return "the token is in the error"
    except Exception as error:
        return "".join(traceback.format_exception_only(type(error), error)).strip() + _where(error)
    else:
        try:
            look_at(result)
        except Exception as error:
            return f"looking at {type(result).__name__}: {type(error).__name__}: {error}{_where(error)}"
        if shape.status >= 400:
            # A call may turn one status into an answer of its own (404 into None), but not all.
            return None
    return None


def _where(error):
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/tinymagic/" in frame.filename]
    return f"  ({frames[-1].filename.rsplit('/tinymagic/', 1)[1]}:{frames[-1].lineno})" if frames else ""


@pytest.mark.parametrize("name", CASES)
def test_no_shape_is_too_strange(replay, replayed, name):
    operation, call = CASES[name]
    wrong = {}
    shapes = shapes_of(operation.reply if operation.reply is not None else {})
    for shape in shapes:
        trouble = replay_one(replay, replayed, operation, call, shape)
        if trouble is not None:
            wrong.setdefault(trouble, []).append(shape.name)
    report = [
        f"{trouble}\n    {len(names)} of {len(shapes)}: {', '.join(names[:6])}" for trouble, names in wrong.items()
    ]
    assert not wrong, f"{name}:\n" + "\n".join(report)


@pytest.mark.parametrize("name", CASES)
def test_the_usual_reply_is_understood(replay, replayed, name):
    """It is a success, and the request was the operation."""
    operation, call = CASES[name]
    replay.seen.clear()
    replay.answer_for = usual_answer
    look_at(call(replayed))
    assert operation in [operation_of(asked.line) for asked in replay.seen], [asked.line for asked in replay.seen]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("status", [401, 403, 500])
def test_an_error_is_an_error(replay, replayed, name, status):
    """Nobody takes a refusal for an answer."""
    operation, call = CASES[name]
    shape = next(each for each in shapes_of({}) if each.name == f"{max(status, 403)} JSON")
    shape = dataclasses.replace(shape, status=status)
    replay.answer_for = lambda asked: shape if operation_of(asked.line) is operation else usual_answer(asked)
    with pytest.raises(TinybirdError) as caught:
        call(replayed)
    assert caught.value.status == status
