"""How much time and memory one rendering may take.

Three counters, all of which only go up: *steps* are pieces of work of the interpreter (a node of an expression, a
member of a collection that is looked at), *characters* are what operations make or read (a character of text, an
eighth of a pointer), *output* is the length of the SQL. An operation is paid for **before** it is done, so nothing
large is ever made. Text of collections (``str([[a], [a]])``) is measured by `weigh`, which stops at the budget: lists
that hold one list many times, or themselves, cost what they would write.
"""

from __future__ import annotations

from typing import Any

from .errors import BudgetExceeded

#: About a second of interpretation.
STEPS = 1_000_000
#: Characters made or read: at most 4 bytes each.
CHARACTERS = 25_000_000
#: Characters of SQL.
OUTPUT = 10_000_000
#: Bits of an integer; ClickHouse's widest has 256.
INTEGER_BITS = 2_048
#: Digits of a number that is read from text.
DIGITS = 4_300
#: Width, precision and other sizes in format specifications.
FORMAT_WIDTH = 10_000
#: How deep collections may hold each other.
DEPTH = 100
#: How deep expressions and blocks may be nested, and how many lambdas may call each other.
EXPRESSION_DEPTH = 100
BLOCK_DEPTH = 50
LAMBDA_DEPTH = 10

_POINTER = 8


class Budget:
    """The counters of one rendering."""

    def __init__(self, steps: int = STEPS, characters: int = CHARACTERS, output: int = OUTPUT) -> None:
        self._steps = steps
        self._characters = characters
        self._output = output

    def step(self, count: int = 1) -> None:
        """Pay for *count* pieces of work."""
        self._steps -= count
        if self._steps < 0:
            raise BudgetExceeded("the template takes too long")

    def spend(self, characters: int) -> None:
        """Pay for text of that length, made or read."""
        self._characters -= characters
        if self._characters < 0:
            raise BudgetExceeded("the template makes values that are too large")

    def make(self, members: int) -> None:
        """Pay for a collection of that many members."""
        self.step(members)
        self.spend(members * _POINTER)

    def write(self, characters: int) -> None:
        """Pay for SQL of that length."""
        self._output -= characters
        if self._output < 0:
            raise BudgetExceeded("the SQL that the template writes is too long")

    def weigh(self, value: Any) -> int:
        """Pay for reading all of *value*, members of members too, and return about how long its text is."""
        if isinstance(value, str):
            self.spend(len(value))
            return len(value) + 2
        if isinstance(value, int):
            # Writing an integer takes longer than its length.
            self.step(1 + value.bit_length() // 100)
            return value.bit_length() // 3 + 4
        if not isinstance(value, (list, tuple, dict, set)):
            self.step()
            return 100
        total = 0
        pending: list[tuple[Any, int]] = [(value, 0)]
        while pending:
            item, depth = pending.pop()
            self.step()
            size = _length_alone(item)
            self.spend(size)
            total += size
            if depth > DEPTH:
                raise BudgetExceeded("the template makes values that are nested too deeply")
            if isinstance(item, dict):
                self.step(len(item))
                pending.extend((each, depth + 1) for pair in item.items() for each in pair)
            elif isinstance(item, (list, tuple, set)):
                self.step(len(item))
                pending.extend((each, depth + 1) for each in item)
        return total


def _length_alone(value: Any) -> int:
    """Return about how long the text of *value* is, without its members."""
    if isinstance(value, str):
        return len(value) + 4
    if isinstance(value, int):
        return value.bit_length() // 3 + 4
    return 16


def check_bits(bits: int) -> None:
    """Refuse an integer of so many bits.

    Raises:
        BudgetExceeded: it is over `INTEGER_BITS`.
    """
    if bits > INTEGER_BITS:
        raise BudgetExceeded("the template makes numbers that are too large")
