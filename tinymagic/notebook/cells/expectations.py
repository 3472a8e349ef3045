"""``--expect rows=10 cols=a,b``: is a result as it should be? For exercises, and for cells that guard a notebook."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING

from tinymagic.notebook.display import count_of, visible
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tinymagic.api.raw_results import Rows

_CHECK_RE = re.compile(r"(?P<what>rows|cols|columns|value)(?P<sign>[<>]=?|!?=)(?P<wanted>.*)", re.DOTALL)

_SIGNS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "=": (operator.eq, ""),
    "!=": (operator.ne, "not "),
    "<": (operator.lt, "fewer than "),
    "<=": (operator.le, "at most "),
    ">": (operator.gt, "more than "),
    ">=": (operator.ge, "at least "),
}


class ExpectationFailed(CellProblem):
    """A result is not as ``--expect`` says. The rows are there all the same."""


def check(rows: Rows, expectations: Sequence[str]) -> None:
    """Compare a result with what was expected, and say that it is so.

    Args:
        rows: the result.
        expectations: ``rows=10`` (also ``>=`` and the like), ``cols=a,b`` (names in order), ``value=42`` (of the only
            cell).

    Raises:
        CellProblem: a check cannot be read.
        ExpectationFailed: what differs, all of it.
    """
    checks = [_read(text) for text in expectations]
    names = [name for name, _ in rows.facts["columns"]]
    count = int(rows.facts["rows"])
    found = []
    for what, sign, wanted in checks:
        if what == "rows":
            found.append(_rows_differ(count, sign, wanted))
        elif what == "cols":
            found.append(_columns_differ(names, wanted))
        else:
            found.append(_value_differs(rows, count, sign, wanted))
    differences = [difference for difference in found if difference]
    if differences:
        raise ExpectationFailed(" ".join(differences))
    print(f"As expected: {visible(', '.join(expectations))}.")


def _read(text: str) -> tuple[str, str, str]:
    found = _CHECK_RE.fullmatch(text)
    if found is None:
        raise CellProblem(f"--expect takes rows=10, rows>=1, cols=a,b or value=42, not {text!r}.")
    what = found["what"].replace("columns", "cols")
    if what == "cols" and found["sign"] != "=":
        raise CellProblem(f"The columns of --expect stand behind an equals sign: cols={found['wanted']}.")
    if what == "rows" and not re.fullmatch(r"[0-9][0-9_]*", found["wanted"]):
        raise CellProblem(f"--expect rows takes a whole number, not {found['wanted']!r}.")
    return what, found["sign"], found["wanted"]


def _rows_differ(count: int, sign: str, wanted: str) -> str:
    holds, words = _SIGNS[sign]
    number = int(wanted)
    return "" if holds(count, number) else f"There are {count_of(count, 'row')}, expected {words}{number:,}."


def _columns_differ(names: Sequence[str], wanted: str) -> str:
    expected = [name.strip() for name in wanted.split(",") if name.strip()]
    if list(names) == expected:
        return ""
    missing = [name for name in expected if name not in names]
    other = [name for name in names if name not in expected]
    if not missing and not other:
        return f"The columns are {', '.join(names)}, expected in the order {', '.join(expected)}."
    parts = [f"missing {', '.join(missing)}"] if missing else []
    parts += [f"not expected {', '.join(other)}"] if other else []
    return f"The columns are {', '.join(names)}: {'; '.join(parts)}."


def _value_differs(rows: Rows, count: int, sign: str, wanted: str) -> str:
    if count != 1 or len(rows.facts["columns"]) != 1:
        return f"value is for one row and one column; these are {count_of(count, 'row')}."
    value = only_value(rows.value)
    holds, words = _SIGNS[sign]
    try:
        is_so = holds(float(value), float(wanted))  # type: ignore[arg-type] # Text is tried next.
    except (TypeError, ValueError):
        is_so = str(value) == wanted if sign == "=" else str(value) != wanted if sign == "!=" else False
    return "" if is_so else f"The value is {str(value)!r}, expected {words}{wanted!r}."


def only_value(result: object) -> object:
    """Return the value of the first row and column of a result of any type."""
    if isinstance(result, list):
        return next(iter(result[0].values()))
    if hasattr(result, "iloc"):
        return result.iloc[0, 0]
    if hasattr(result, "column"):  # An Arrow table.
        return result.column(0)[0].as_py()
    return result[0, 0]  # type: ignore[index] # A polars frame.
