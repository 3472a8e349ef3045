"""What commands that send rows share: where rows come from, the bar, the interrupt, and the report in words."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tinymagic.errors import TinybirdError
from tinymagic.names import near_names
from tinymagic.notebook.display import visible
from tinymagic.notebook.given_values import variable
from tinymagic.notebook.interrupting import interruptible
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.ingest.report import IngestReport
    from tinymagic.api.progress import OnProgress
    from tinymagic.notebook.extension import Notebook
    from tinymagic.notebook.tinybird import Call

#: What each notebook sent last and not all of which was stored.
_left: WeakKeyDictionary[Notebook, IngestReport] = WeakKeyDictionary()


def rows_named(call: Call, given: str) -> Any:
    """Return the rows that *given* means: JSON, a variable (a ``$`` in front is allowed), else a path or a URL.

    Raises:
        CellProblem: the variable holds no rows, or it is no JSON.
    """
    if given[:1] in ("{", "["):
        return _json(given)
    names = call.notebook.shell.user_ns
    if given.startswith("$") or (given.isidentifier() and given in names):
        return frame_named(call, given)
    if given.isidentifier():
        near = tuple(near_names(given, [each for each in names if not each.startswith("_")]))
        if near:
            raise CellProblem(f"There is neither a variable nor a file {given!r}.", suggestions=near)
    return given


def is_url(rows: Any) -> bool:
    """Return whether rows are an address, from which the service takes them itself."""
    return isinstance(rows, str) and rows.lower().startswith(("http://", "https://"))


def unit_of(rows: Any) -> str:
    """Return in what the sending of rows is counted for the bar: ``%`` of a job, bytes ``B`` of a file, ``rows``."""
    if is_url(rows):
        return "%"
    return "B" if isinstance(rows, (str, bytes)) else "rows"


def frame_named(call: Call, name: str) -> Any:
    """Return the rows of a variable; ``--no-index`` of the command leaves the index of a DataFrame out.

    Raises:
        CellProblem: there is none, or it holds no rows.
    """
    found = _checked(name.removeprefix("$"), variable(name, call.notebook.shell.user_ns))
    return found.reset_index(drop=True) if "no_index" in call.options and hasattr(found, "reset_index") else found


def _checked(name: str, value: Any) -> Any:
    if hasattr(value, "columns") or isinstance(value, (list, tuple, dict, bytes)) or hasattr(value, "schema"):
        return value
    if hasattr(value, "__next__") or hasattr(value, "__fspath__"):
        return value
    if isinstance(value, str):
        return value
    raise CellProblem(
        f"The variable {name!r} is {type(value).__name__}: rows come from a DataFrame, a dictionary, a list or "
        "generator of dictionaries, or a file."
    )


def _json(text: str) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CellProblem(f'This is no JSON: {error}. Write for instance {{"page": "/", "n": 1}}.') from None
    return found


@contextlib.contextmanager
def sending(call: Call, what: str, *, unit: str = "rows") -> Iterator[tuple[OnProgress, Cancellation]]:
    """Give the block what shows its progress and what ends its work; an error or interrupt says what was stored.

    Args:
        call: of the command.
        what: is done, for the bar.
        unit: of the bar, ``rows``, ``B`` or ``%``.
    """
    with progress(what, unit=unit) as tell, interruptible() as cancellation:
        try:
            yield tell, cancellation
        except (KeyboardInterrupt, TinybirdError, Exception) as error:
            report: IngestReport | None = getattr(error, "report", None)
            if report is not None and report.batches:
                _keep(call, report)
                if len(report.batches) > 1 or report.stored or report.unknown or not isinstance(error, TinybirdError):
                    print(f"{visible(report.name)}: {_words(report)}")
            raise


def say(call: Call, report: IngestReport, *, before: str = "") -> pd.DataFrame | None:
    """Print what became of the rows; return why rows are in the quarantine, as a DataFrame, if any are.

    Args:
        call: of the command.
        report: of the rows.
        before: what to say in front; default the name of the Data Source.
    """
    _keep(call, report)
    text = _words(report)
    if report.quarantined:
        text += f" Why they did not fit: {where_quarantine(report.name)}."
    print(f"{before or visible(report.name) + ':'} {text}")
    for notice in report.notices:
        print(visible(notice))
    if not report.reasons:
        return None
    import pandas as pd

    rows = [(each.column, each.reason, each.rows, each.example) for each in report.reasons]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=["column", "why in quarantine", "rows", "example"])
    return frame


def _words(report: IngestReport) -> str:
    return visible(report.sentence(retry="%tinybird events retry"))


def _keep(call: Call, report: IngestReport) -> None:
    if report.failed_batches or report.unknown_batches:
        _left[call.notebook] = report
    elif call.notebook in _left and _left[call.notebook].name == report.name:
        del _left[call.notebook]


def left(call: Call) -> IngestReport:
    """Return the report of the last rows that were sent and not all stored.

    Raises:
        CellProblem: there is none.
    """
    if call.notebook not in _left:
        raise CellProblem("There is nothing to send again: all that was sent in this session has been dealt with.")
    return _left[call.notebook]


def where_quarantine(name: str) -> str:
    """Return the command that shows the quarantine of a Data Source."""
    return f"%tinybird datasource quarantine {visible(name)}"
