"""What is read out of the engine's error texts, also out of very long ones: a query can make them."""

from __future__ import annotations

import time

import pytest

from tinymagic.local.engine import EngineError
from tinymagic.local.ingest.imports import plain_reason

#: Texts that a regular expression may need much time for, when it looks for blanks before something that never comes.
_LONG = {
    "blanks": " " * 300_000,
    "lines": "\n" * 300_000,
    "heads": "Code: 1. DB::Exception: " * 100_000,
    "names": " (ABC)" * 100_000,
    "open names": "(ABC" * 100_000,
    "versions": " (version 1" * 100_000,
    "digits": "(version " + "1" * 300_000,
}


@pytest.mark.parametrize("kind", _LONG)
def test_long_texts_take_no_time(kind: str) -> None:
    """The text of a value does not hold everybody up, and what counts stays: the code and the name."""
    text = f"Code: 395. DB::Exception: {_LONG[kind]}: while executing. (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO)"
    begin = time.perf_counter()
    error = EngineError.from_text(text + " (version 26.9.2.1)")
    plain_reason(error.message)
    assert time.perf_counter() - begin < 1
    assert (error.code, error.name) == (395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO")
    assert len(error.message) < 20_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Code: 47. DB::Exception: No `x`. (UNKNOWN_IDENTIFIER)", (47, "UNKNOWN_IDENTIFIER", "No `x`.")),
        (
            "Code: 47. DB::Exception: No `x`. (UNKNOWN_IDENTIFIER) (version 26.9.2.1)",
            (47, "UNKNOWN_IDENTIFIER", "No `x`."),
        ),
        ("Code: 1. DB::Exception: a: Code: 2. DB::Exception: b. (BB). (BB)", (1, "BB", "a: b.")),
        ("something else", (0, "UNKNOWN_EXCEPTION", "something else")),
    ],
)
def test_parts(text: str, expected: tuple[int, str, str]) -> None:
    """Code, name and message."""
    error = EngineError.from_text(text)
    assert (error.code, error.name, error.message) == expected
