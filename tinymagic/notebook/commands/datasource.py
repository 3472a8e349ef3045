"""``%tinybird datasource``: what there is, and getting rows in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.errors import NotFound
from tinymagic.names import near_names
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.display import count_of, footer_text, human_bytes, visible
from tinymagic.notebook.parameters import prepare
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    import pandas as pd

    from tinymagic.api.datasources import DataSource, ImportReport
    from tinymagic.notebook.tinybird import Call

_PREVIEW_ROWS = 10


def ls(call: Call) -> pd.DataFrame:
    """Return all Data Sources: one row each."""
    import pandas as pd

    sources = sorted(call.notebook.session.workspace().datasources.list(), key=lambda each: each.name)
    frame: pd.DataFrame = pd.DataFrame(
        {
            "name": [each.name for each in sources],
            "rows": _integers([each.statistics.row_count for each in sources]),
            "bytes": _integers([each.statistics.bytes for each in sources]),
            "columns": _integers([len(each.columns) for each in sources]),
            "engine": [str(each.engine.get("engine") or "") for each in sources],
            "sorting_key": [str(each.engine.get("engine_sorting_key") or "") for each in sources],
            "quarantine_rows": _integers([each.quarantine_rows for each in sources]),
            "updated_at": pd.to_datetime([each.updated_at for each in sources], errors="coerce").floor("s"),
        }
    )
    return frame


def _integers(values: list[int | None]) -> Any:
    import pandas as pd

    return pd.array(values, dtype="Int64")


def show(call: Call) -> pd.DataFrame:
    """Print the facts of one, and return its columns."""
    import pandas as pd

    source = _get(call, call.words[0])
    for name, value in _facts(source).items():
        if value:
            print(f"{name + ':':<14}{visible(value)}")
    rows = [
        (each.name, each.type, each.nullable, each.default or "", each.jsonpath or "", each.codec or "")
        for each in source.columns
    ]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=["column", "type", "nullable", "default", "jsonpath", "codec"])
    return frame


def _facts(source: DataSource) -> dict[str, str]:
    rows, size = source.statistics.row_count, source.statistics.bytes
    engine = ", ".join(f"{name.removeprefix('engine_')} {value}" for name, value in source.engine.items() if value)
    quarantine = source.quarantine_rows
    return {
        "Data Source": source.name,
        "Description": source.description,
        "Size": ", ".join(
            [*([] if rows is None else [count_of(rows, "row")]), *([] if size is None else [human_bytes(size)])]
        ),
        "Engine": engine.removeprefix("engine "),
        "Quarantine": f"{count_of(quarantine, 'row')}: {_where(source.name)}" if quarantine else "",
        "Used by": ", ".join(source.used_by),
        "Schema": source.schema or "",
    }


def _get(call: Call, name: str) -> DataSource:
    sources = call.notebook.session.workspace().datasources
    try:
        return sources.get(name)
    except NotFound as error:
        raise _with_near_names(error, name, [each.name for each in sources.list()]) from None


def _with_near_names(error: NotFound, name: str, known: list[str]) -> NotFound:
    error.args = (f"There is no Data Source {name!r}.",)
    error.suggestions = tuple(near_names(name, known))  # type: ignore[attr-defined] # the card shows them
    return error


def data(call: Call) -> pd.DataFrame:
    """Return the first rows of one."""
    limit = call.number("limit")
    bound = prepare("SELECT * FROM {{ name | ident }}", {"name": call.words[0]}, {})
    frame = call.notebook.session.workspace().sql(
        bound.text, params=bound.parameters, limit=_PREVIEW_ROWS if limit is None else limit
    )
    return call.notebook.presenter.expect(frame, footer_text(frame.attrs["tinybird"]))


# --- rows in ----------------------------------------------------------------------------------------------------------


def create(call: Call) -> None:
    """Make a Data Source, empty or from rows."""
    name, options = call.words[0], call.options
    schema = options.get("schema")
    engine: dict[str, Any] = {
        "engine": options.get("engine"),
        "sorting_key": options.get("sorting_key"),
        "partition_key": options.get("partition_key"),
        "description": options.get("description"),
    }
    sources = call.notebook.session.workspace().datasources
    if "from_df" in options and "file" in options:
        raise CellProblem("--from-df and --file are two places to take rows from: give one of them.")
    if "from_df" in options:
        rows: Any = _frame(call, options["from_df"])
    elif "file" in options:
        rows = options["file"]
    elif schema is None:
        raise CellProblem("One of --schema, --from-df and --file is needed: they say which columns it has.")
    else:
        made = sources.create(name, schema, **engine)
        print(f"Created {visible(made.name)} with {count_of(len(made.columns), 'column')}, and no rows yet.")
        return
    report = sources.create_from(name, rows, schema=schema, format=options.get("format"), **engine)
    print(f"Created {visible(name)}. {_report(name, report)}")


def append(call: Call) -> None:
    """Add rows, and say what became of them."""
    name, given = call.words
    rows = _rows(call, given)
    sources = call.notebook.session.workspace().datasources
    try:
        report = sources.append(name, rows, format=call.options.get("format"))
    except NotFound as error:
        raise _with_near_names(error, name, [each.name for each in sources.list()]) from None
    print(f"{visible(name)}: {_report(name, report)}")


def _rows(call: Call, given: str) -> Any:
    """Return what *given* means: a variable with rows, else the path of a file."""
    names = call.notebook.shell.user_ns
    if given.isidentifier() and given in names:
        value = names[given]
        if hasattr(value, "columns") or isinstance(value, list):
            return value
        raise CellProblem(
            f"The variable {given!r} is {type(value).__name__}: rows come from a DataFrame, a list of dictionaries, or "
            "a file."
        )
    return given


def _frame(call: Call, name: str) -> Any:
    names = call.notebook.shell.user_ns
    if name not in names:
        near = tuple(near_names(name, [each for each in names if not each.startswith("_")]))
        raise CellProblem(f"There is no variable {name!r}.", suggestions=near)
    return _rows(call, name)


def _report(name: str, report: ImportReport) -> str:
    text = visible(report.sentence())
    if report.quarantined:
        text += f" Why they did not fit: {_where(name)}."
    return text


def _where(name: str) -> str:
    return f"%tinybird datasource data {visible(name)}_quarantine"


def rm(call: Call) -> None:
    """Delete one."""
    source = _get(call, call.words[0])
    size = "" if source.statistics.row_count is None else f" with {count_of(source.statistics.row_count, 'row')}"
    what = f"the Data Source {visible(source.name)}{size}"
    if confirm(f"Delete {what}?", yes="yes" in call.options):
        call.notebook.session.workspace().datasources.delete(source.name, force="force" in call.options)
        print(f"Deleted {what}.")
