"""``%tinybird datasource``: what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.errors import UnknownTable
from tinymagic.names import near_names
from tinymagic.notebook.commands.datasource_facts import get_source, near_source, users_of
from tinymagic.notebook.commands.showing import moments, print_facts
from tinymagic.notebook.display import count_of, footer_text, human_bytes, visible
from tinymagic.notebook.parameters import prepare

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from tinymagic.api.datasources import DataSource
    from tinymagic.notebook.tinybird import Call

_PREVIEW_ROWS = 10

#: What the list shows; without being asked the service need not tell who uses what.
_LISTED = ("id", "name", "engine", "columns", "statistics", "quarantine_rows", "updated_at", "used_by")


def ls(call: Call) -> pd.DataFrame:
    """Return all Data Sources: one row each."""
    import pandas as pd

    sources = sorted(call.workspace.datasources.list(attrs=_LISTED), key=lambda each: each.name)
    frame: pd.DataFrame = pd.DataFrame(
        {
            "name": [each.name for each in sources],
            "rows": _integers([each.statistics.row_count for each in sources]),
            "bytes": _integers([each.statistics.bytes for each in sources]),
            "engine": [str(each.engine.get("engine") or "") for each in sources],
            "columns": _integers([len(each.columns) if each.columns else None for each in sources]),
            "quarantine": _integers([each.quarantine_rows for each in sources]),
            "updated": moments(each.updated_at for each in sources),
            "used by": [", ".join(each.used_by) for each in sources],
        }
    )
    return frame


def _integers(values: list[int | None]) -> Any:
    import pandas as pd

    return pd.array(values, dtype="Int64")


def show(call: Call) -> pd.DataFrame:
    """Print the facts of one, and return its columns."""
    import pandas as pd

    source = get_source(call, call.words[0])
    print_facts(_facts(source, users_of(call, source)))
    rows = [
        (each.name, each.type, each.nullable, each.default or "", each.jsonpath or "", each.codec or "")
        for each in source.columns
    ]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=["column", "type", "nullable", "default", "jsonpath", "codec"])
    return frame


def _facts(source: DataSource, users: tuple[str, ...]) -> dict[str, str]:
    from tinymagic.api.reading import mappings, texts

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
        "Indexes": "; ".join(_index(each) for each in mappings(source.raw.get("indexes"))),
        "Quarantine": f"{count_of(quarantine, 'row')}: %tinybird datasource quarantine {source.name}"
        if quarantine
        else "",
        "Used by": ", ".join(users),
        "Shared with": ", ".join(texts(source.raw.get("shared_with"))),
        "Schema": source.schema or "",
    }


def _index(described: Mapping[str, Any]) -> str:
    return " ".join(str(described[key]) for key in ("name", "expr", "type_full") if described.get(key))


def sql(call: Call) -> None:
    """Print the definition of one as the text of a datafile."""
    name = call.words[0]
    with near_source(call, name):
        print(visible(call.workspace.datasources.datafile(name)).rstrip("\n"))


def data(call: Call) -> pd.DataFrame:
    """Return the first rows of one."""
    name, limit = call.words[0], call.number("limit")
    bound = prepare("SELECT * FROM {{ name | ident }}", {"name": name}, {})
    try:
        frame = call.workspace.sql(bound.text, params=bound.parameters, limit=_PREVIEW_ROWS if limit is None else limit)
    except UnknownTable as error:
        if not error.suggestions:
            error.suggestions = tuple(near_names(name, [each.name for each in call.workspace.datasources.list()]))
        raise
    return call.notebook.presenter.expect(frame, footer_text(frame.attrs["tinybird"]))
