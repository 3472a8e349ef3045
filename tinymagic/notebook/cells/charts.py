"""``--plot``: a chart of a result. The saved notebook keeps its specification, and a picture where one can be made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinymagic.names import near_names
from tinymagic.notebook.display import visible
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.api.raw_results import Rows
    from tinymagic.notebook.cells.arguments import ChartArguments
    from tinymagic.notebook.extension import Notebook

#: More marks than this make a slow notebook and no better picture.
MOST_ROWS = 20_000

#: Bars side by side.
_MOST_BARS = 200

#: Bins of a histogram.
_BINS = 40

#: What front ends draw themselves. JupyterLab 4, Notebook 7 and VS Code know version 5 of Vega-Lite; what is used here
#: means the same in version 6, which newer Altair writes.
_MIME_TYPE = "application/vnd.vegalite.v5+json"
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"

_WIDTH, _HEIGHT = 560, 280


@dataclass(frozen=True)
class Column:
    """A column of the result as a chart sees it: its name, and ``time``, ``number``, ``category`` or ``other``."""

    name: str
    kind: str


@dataclass(frozen=True)
class Axes:
    """What is drawn: names of columns. Several in *y* are drawn in colours of their own."""

    x: str
    y: tuple[str, ...]
    color: str | None = None


def kind_of(type_name: str) -> str:
    """Return how a ClickHouse type is drawn.

    Example:
        >>> kind_of("Nullable(DateTime64(3))"), kind_of("Decimal(9, 2)"), kind_of("LowCardinality(String)")
        ('time', 'number', 'category')
    """
    for wrapper in ("Nullable(", "LowCardinality(", "Nullable("):
        if type_name.startswith(wrapper):
            type_name = type_name[len(wrapper) : -1]
    if type_name.startswith(("DateTime", "Date")):
        return "time"
    if type_name.startswith(("Int", "UInt", "Float", "Decimal", "BFloat")) and not type_name.startswith("Interval"):
        return "number"
    return "other" if type_name.startswith(("Array", "Map", "Tuple", "JSON", "Object", "Nested")) else "category"


def choose_axes(mark: str, columns: Sequence[Column], x: str | None, y: Sequence[str], color: str | None) -> Axes:
    """Choose what the user left open.

    The horizontal axis is the first time, else for bars and lines the first category, else the first column; of a
    histogram the first number. The vertical one has all other numbers. A category that is left over gives the colours.

    Raises:
        CellProblem: a column does not exist, or there is nothing to draw.
    """
    names = [column.name for column in columns]
    for name in (*([x] if x else []), *y, *([color] if color else [])):
        if name not in names:
            near = tuple(near_names(name, names))
            raise CellProblem(f"The result has no column {name!r}; it has {', '.join(names)}.", suggestions=near)
    numbers = [column.name for column in columns if column.kind == "number"]
    if mark == "hist":
        if not (x or numbers):
            raise CellProblem(f"A histogram needs a column of numbers; the result has {', '.join(names)}.")
        return Axes(x or numbers[0], (), color)
    times = [column.name for column in columns if column.kind == "time"]
    categories = [column.name for column in columns if column.kind == "category"]
    across = x or next(iter([*times, *([] if mark == "scatter" else categories), *names]))
    up = tuple(y) or tuple(name for name in numbers if name not in (across, color))
    if mark == "scatter":
        up = up[:1] if not y else up
    if not up:
        raise CellProblem(f"There is no column of numbers for the vertical axis: name one with --y. {_has(names)}")
    left = [name for name in categories if name not in (across, *up)]
    return Axes(across, up, color or (left[0] if left and len(up) == 1 and mark != "hist" else None))


def _has(names: Sequence[str]) -> str:
    return f"The result has {', '.join(names)}."


def draw(notebook: Notebook, asked: ChartArguments, rows: Rows, footer: str | None = None) -> None:
    """Display the chart of a result.

    Raises:
        CellProblem: there is nothing to draw, or Altair is missing.
    """
    notebook.shell.display_pub.publish(data=bundle_of(asked, rows, footer), metadata={})


def bundle_of(asked: ChartArguments, rows: Rows, footer: str | None = None) -> dict[str, Any]:
    """Return the chart of a result for every kind of front end: specification, picture, words.

    Args:
        asked: mark and columns.
        rows: of any type.
        footer: the line under the chart.

    Raises:
        CellProblem: there is nothing to draw, or Altair is missing.
    """
    altair = _altair()
    columns = [Column(name, kind_of(kind)) for name, kind in rows.facts["columns"]]
    if not columns or not int(rows.facts["rows"]):
        raise CellProblem("The result has no rows, so there is nothing to draw.")
    axes = choose_axes(asked.mark, columns, asked.x, asked.y, asked.color)
    kinds = {column.name: column.kind for column in columns}
    wanted = list(dict.fromkeys([axes.x, *axes.y, *([axes.color] if axes.color else [])]))
    values = {name: _drawn(_values(rows.value, name), kinds[name]) for name in wanted}
    chart = _hist(altair, axes, values) if asked.mark == "hist" else _chart(altair, asked.mark, axes, values, kinds)
    words = f"{asked.mark} chart of {', '.join(axes.y) or 'the frequency'} by {axes.x}"
    if axes.color:
        words += f", a colour for each {axes.color}"
    title = altair.TitleParams(footer.splitlines() if footer else "", orient="bottom", fontSize=11, fontWeight="normal")
    chart = chart.properties(width=_WIDTH, height=_HEIGHT, description=visible(words))
    spec = (chart.properties(title=title) if footer else chart).to_dict()
    spec["$schema"] = _SCHEMA
    bundle = {"text/plain": f"<{visible(words)}>", _MIME_TYPE: spec}
    picture = _picture(spec)
    return bundle if picture is None else {**bundle, "image/png": picture}


def _altair() -> Any:
    try:
        import altair
    except ImportError:
        raise CellProblem("--plot draws with Altair, which is not installed: pip install 'tinymagic[plot]'.") from None
    return altair


def _picture(spec: dict[str, Any]) -> str | None:
    """Return a PNG in base64, ``None`` where the converter is not installed."""
    try:
        import vl_convert
    except ImportError:
        return None
    import base64

    return base64.b64encode(vl_convert.vegalite_to_png(spec, scale=2)).decode()


def _values(result: Any, name: str) -> list[Any]:
    """Return a column of a result of any type as Python values."""
    if isinstance(result, list):
        return [row[name] for row in result]
    if hasattr(result, "to_pylist"):  # An Arrow table.
        return list(result.column(name).to_pylist())
    if hasattr(result, "iloc"):
        column = result[name]
        missing = column.isna()
        return [None if gone else value for value, gone in zip(column, missing, strict=True)]
    return list(result[name].to_list())


def _drawn(values: list[Any], kind: str) -> list[Any]:
    """Return values that JSON has: numbers as floats, times as the wall clock of their own zone, the rest as text."""
    if kind == "number":
        return [value if value is None or type(value) is int else _number(value) for value in values]
    if kind == "time":
        # With a zone the browser would show them in its own.
        return [None if value is None else _wall_clock(value) for value in values]
    return [None if value is None else visible(str(value)) for value in values]


def _number(value: Any) -> float | None:
    number = float(value)
    return number if number - number == 0 else None


def _wall_clock(value: Any) -> str:
    return str(value.replace(tzinfo=None).isoformat()) if hasattr(value, "tzinfo") else str(value.isoformat())


# --- with Altair ------------------------------------------------------------------------------------------------------


def _table(altair: Any, columns: dict[str, list[Any]]) -> Any:
    names = list(columns)
    rows = [dict(zip(names, each, strict=True)) for each in zip(*columns.values(), strict=True)]
    return altair.Data(values=rows)


def _chart(altair: Any, mark: str, axes: Axes, values: dict[str, list[Any]], kinds: dict[str, str]) -> Any:
    count = len(values[axes.x])
    series = len(axes.y)
    most = _MOST_BARS * 10 if mark == "bar" else MOST_ROWS
    if count * series > most:
        raise CellProblem(
            f"A {mark} chart has at most {most:,} marks, and these are {count * series:,}: let the query group them, "
            "or take fewer with --limit."
        )
    # Names of columns may have any sign, and some of them mean something in a field's name.
    x, up, color = "x", "y", "c"
    several = series > 1
    table: dict[str, list[Any]] = {x: [], up: [], color: []}
    for name in axes.y:
        table[x] += values[axes.x]
        table[up] += values[name]
        table[color] += [visible(name)] * count if several else values[axes.color] if axes.color else [None] * count
    kind_x, kind_y = _scale(kinds[axes.x], mark), _scale(kinds[axes.y[0]], "line")
    marks: dict[str, dict[str, Any]] = {
        "line": {"type": "line", "point": count <= 60},
        "bar": {"type": "bar"},
        "area": {"type": "area", "opacity": 0.7, "line": True},
        "scatter": {"type": "point", "filled": True, "opacity": 0.6},
    }
    base = altair.Chart(_table(altair, table))
    # In the order of the rows; and short names need not be turned.
    short = sum(len(str(name)) + 2 for name in set(values[axes.x])) * 7 < _WIDTH
    across = {"sort": None, **({"axis": altair.Axis(labelAngle=0)} if short else {})} if kind_x == "nominal" else {}
    encoding = {
        "x": altair.X(field=x, type=kind_x, title=visible(axes.x), **across),
        "y": altair.Y(
            field=up, type=kind_y, title="" if several else visible(axes.y[0]), **({"stack": None} if several else {})
        ),
        "tooltip": [
            altair.Tooltip(field=x, type=kind_x, title=visible(axes.x)),
            altair.Tooltip(field=up, type=kind_y, title="value" if several else visible(axes.y[0])),
        ],
    }
    if several or axes.color:
        is_scale = not several and kinds[axes.color or ""] in ("number", "time")
        kind = _scale(kinds[axes.color or ""], "line") if is_scale else "nominal"
        encoding["color"] = altair.Color(field=color, type=kind, title="" if several else visible(axes.color or ""))
        if several and mark == "bar":
            encoding["xOffset"] = altair.XOffset(field=color, type="nominal")
    return _marked(base, marks[mark]).encode(**encoding)


def _marked(base: Any, mark: dict[str, Any]) -> Any:
    options = {key: value for key, value in mark.items() if key != "type"}
    return getattr(base, f"mark_{mark['type']}")(**options)


def _scale(kind: str, mark: str) -> str:
    if kind == "time":
        return "temporal"
    if kind == "number":
        return "ordinal" if mark == "bar" else "quantitative"
    return "nominal"


def _hist(altair: Any, axes: Axes, values: dict[str, list[Any]]) -> Any:
    """Draw how often values fall into bins, which are counted here: of any number of rows the chart stays small."""
    groups = values[axes.color] if axes.color else [None] * len(values[axes.x])
    numbers = [
        (float(value), group)
        for value, group in zip(values[axes.x], groups, strict=True)
        if isinstance(value, (int, float))
    ]
    if not numbers:
        raise CellProblem(f"There is no number in the column {axes.x!r}, so there is nothing to count.")
    low, high = min(number for number, _ in numbers), max(number for number, _ in numbers)
    width = (high - low) / _BINS or 1.0
    counts: dict[tuple[int, Any], int] = {}
    for number, group in numbers:
        place = min(int((number - low) / width), _BINS - 1)
        counts[place, group] = counts.get((place, group), 0) + 1
    ordered = sorted(counts.items(), key=lambda each: (each[0][0], str(each[0][1])))
    table: dict[str, list[Any]] = {
        "from": [low + place * width for (place, _), _ in ordered],
        "to": [low + (place + 1) * width for (place, _), _ in ordered],
        "n": [count for _, count in ordered],
        "c": [group for (_, group), _ in ordered],
    }
    encoding = {
        "x": altair.X(field="from", type="quantitative", title=visible(axes.x), bin="binned"),
        "x2": altair.X2(field="to"),
        "y": altair.Y(field="n", type="quantitative", title="rows", stack="zero"),
        "tooltip": [
            altair.Tooltip(field="from", type="quantitative", title="from"),
            altair.Tooltip(field="to", type="quantitative", title="to"),
            altair.Tooltip(field="n", type="quantitative", title="rows"),
        ],
    }
    if axes.color:
        encoding["color"] = altair.Color(field="c", type="nominal", title=visible(axes.color))
    return altair.Chart(_table(altair, table)).mark_bar().encode(**encoding)
