"""Each operation of the client against every shape of reply that the contract allows, and some that it does not.

The client returns something, or raises a `TinybirdError`: never a KeyError, TypeError, AttributeError, JSONDecodeError
or the like; nor does looking at what it returned.
"""

from __future__ import annotations

import copy
import dataclasses
import pickle
import traceback
import types

import pytest

from tests.replay.conftest import around
from tests.replay.operations import FURTHER, OPERATIONS, operation_of
from tests.replay.shapes import shapes_of
from tinymagic.api.errors import TinybirdError
from tinymagic.api.http.redaction import HIDDEN

CASES = {**{each.name: each for each in OPERATIONS if each.call is not None}, **FURTHER}


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
        if callable(getattr(value, "sentence", None)):
            assert isinstance(value.sentence(), str)
    elif isinstance(value, types.GeneratorType):
        look_at(list(value), depth - 1)


def replay_one(replay, workspace, operation, shape):
    """Return what is wrong with the call of *operation* when it gets *shape*, or ``None``."""
    replay.seen.clear()
    replay.answer_for = around(operation, shape)
    try:
        result = operation.call(workspace)
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
    return None


def _where(error):
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/tinymagic/" in frame.filename]
    return f"  ({frames[-1].filename.rsplit('/tinymagic/', 1)[1]}:{frames[-1].lineno})" if frames else ""


@pytest.mark.parametrize("name", CASES)
def test_no_shape_is_too_strange(replay, replayed, name):
    operation = CASES[name]
    wrong = {}
    usual = {} if operation.reply is None else operation.reply
    shapes = shapes_of(usual, every_status=name not in FURTHER)
    for shape in shapes:
        trouble = replay_one(replay, replayed, operation, shape)
        if trouble is not None:
            wrong.setdefault(trouble, []).append(shape.name)
    report = [
        f"{trouble}\n    {len(names)} of {len(shapes)}: {', '.join(names[:6])}" for trouble, names in wrong.items()
    ]
    assert not wrong, f"{name}:\n" + "\n".join(report)


@pytest.mark.parametrize("name", CASES)
def test_the_usual_reply_is_understood(replay, replayed, name):
    """It is a success, and the request was the operation."""
    operation = CASES[name]
    replay.seen.clear()
    replay.answer_for = around(operation)
    look_at(operation.call(replayed))
    asked = [each.line for each in replay.seen]
    assert operation.name in [found.name for line in asked if (found := operation_of(line))], asked


@pytest.mark.parametrize("name", CASES)
def test_a_result_can_be_copied_and_pickled(replay, replayed, name):
    """All but what holds a token: that is copied, and never written into a file."""
    operation = CASES[name]
    replay.answer_for = around(operation)
    result = operation.call(replayed)
    if isinstance(result, types.GeneratorType):
        result = list(result)
    assert copy.deepcopy(result) is not None or result is None
    assert repr(copy.deepcopy(result)) == repr(result)
    if HIDDEN in repr(result):
        with pytest.raises(TypeError, match="not to be pickled"):
            pickle.dumps(result)
        return
    again = pickle.loads(pickle.dumps(result))
    assert repr(again) == repr(result)
    if dataclasses.is_dataclass(result):
        assert again == result


#: What a call makes of a status by itself: a token that may only append may not look at what it appends to.
FORGIVEN = {("append a file to what cannot be read", 401), ("append a file to what cannot be read", 403)}


@pytest.mark.parametrize(
    ("name", "status"),
    [(name, status) for name in CASES for status in (401, 403, 500) if (name, status) not in FORGIVEN],
)
def test_an_error_is_an_error(replay, replayed, name, status):
    """Nobody takes a refusal for an answer."""
    operation = CASES[name]
    shape = next(each for each in shapes_of({}) if each.name == f"{max(status, 403)} JSON")
    shape = dataclasses.replace(shape, status=status)
    replay.answer_for = around(operation, shape)
    with pytest.raises(TinybirdError) as caught:
        operation.call(replayed)
    assert caught.value.status == status
