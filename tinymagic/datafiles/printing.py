"""Datafiles as text, in the order in which the vendor's formatters leave them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.datafiles.columns import split_columns
from tinymagic.datafiles.model import ConnectionText, DatasourceText, NodeText, PipeText, TokenText
from tinymagic.datafiles.values import read_value, setting_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: Order of a node's settings; the engine follows, in the order of the alphabet, then what is not known here.
_NODE_ORDER = (
    "datasource",
    "target_datasource",
    "copy_mode",
    "copy_schedule",
    "export_service",
    "export_connection_name",
    "export_schedule",
    "export_bucket_uri",
    "export_file_template",
    "export_format",
    "export_compression",
    "export_write_strategy",
    "export_strategy",
    "export_kafka_topic",
)


def datasource_text(
    name: str,
    schema: str,
    *,
    description: str | None = None,
    engine: Mapping[str, str] | None = None,
    ttl: str | None = None,
    indexes: str | Sequence[str] | None = None,
    tokens: Sequence[tuple[str, str]] = (),
    tags: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> str:
    r"""Write the text of a ``.datasource`` file (``datasources.md`` section 6).

    Args:
        name: of the Data Source. A datafile's name is the name of the file: nothing of it is in the text.
        schema: columns with commas, as the API takes them; jsonpaths stay.
        description: in words.
        engine: as the API takes it, with or without ``engine_`` in front: ``{"engine": "MergeTree",
            "engine_sorting_key": "day"}`` or ``{"type": "MergeTree", "sorting_key": "day"}``. Empty values say nothing.
        ttl: expression; another spelling of ``engine_ttl``.
        indexes: one a line, or a sequence of them.
        tokens: (name, right) of tokens that get a right on it; the right is ``READ`` or ``APPEND``.
        tags: names.
        settings: further keywords, for instance ``{"kafka_topic": "events"}``.

    Example:
        >>> print(datasource_text("sales", "day Date, amount Float64", engine={"sorting_key": "day"}), end="")
        SCHEMA >
            day Date,
            amount Float64
        <BLANKLINE>
        ENGINE "MergeTree"
        ENGINE_SORTING_KEY "day"
    """
    del name  # Said by the file's name; an argument so that calls for all kinds look alike.
    given = {_engine_key(key): text for key, text in (engine or {}).items() if text and text.strip()}
    if ttl:
        given["engine_ttl"] = ttl
    if given and "engine" not in given:
        given["engine"] = "MergeTree"
    lines = [indexes] if isinstance(indexes, str) else list(indexes or ())
    return print_datasource(
        DatasourceText(
            schema=",\n".join(split_columns(schema)),
            engine=given,
            indexes="\n".join(lines),
            description=description or "",
            tokens=tuple(TokenText(*token) for token in tokens),
            tags=tuple(tags),
            settings=dict(settings or {}),
        )
    )


def pipe_text(
    name: str,
    nodes: Sequence[NodeText],
    *,
    description: str | None = None,
    tokens: Sequence[tuple[str, str]] = (),
    tags: Sequence[str] = (),
) -> str:
    r"""Write the text of a ``.pipe`` file (``pipes.md`` section 2.1).

    Args:
        name: of the Pipe. A datafile's name is the name of the file: nothing of it is in the text.
        nodes: in order. Settings may have the names of the API (``mode``, ``schedule_cron``) or of datafiles.
        description: in words.
        tokens: (name, ``READ``) of tokens that may read it.
        tags: names.

    Example:
        >>> node = NodeText("total", "SELECT sum(amount) AS total FROM sales", type="endpoint")
        >>> print(pipe_text("sales_total", [node]), end="")
        NODE total
        SQL >
            SELECT sum(amount) AS total FROM sales
        <BLANKLINE>
        TYPE endpoint
    """
    del name
    return print_pipe(
        PipeText(
            nodes=tuple(nodes),
            description=description or "",
            tokens=tuple(TokenText(*token) for token in tokens),
            tags=tuple(tags),
        )
    )


def connection_text(
    name: str, service: str, settings: Mapping[str, str] | None = None, *, description: str | None = None
) -> str:
    r"""Write the text of a ``.connection`` file.

    Args:
        name: of the connection. A datafile's name is the name of the file: nothing of it is in the text.
        service: ``kafka``, ``s3``, ``gcs``, ...
        settings: keyword -> value. Never put a secret here: ``{{ tb_secret("NAME") }}`` names it.
        description: in words.

    Example:
        >>> print(connection_text("lake", "s3", {"s3_region": "eu-west-1"}), end="")
        TYPE s3
        S3_REGION eu-west-1
    """
    del name
    return print_connection(ConnectionText(service, dict(settings or {}), description or ""))


def print_datasource(file: DatasourceText) -> str:
    """Print a ``.datasource`` file that was read or made."""
    return _joined(
        [
            *_head(file.description, file.tokens, file.tags, file.includes),
            block("SCHEMA", file.schema),
            block("INDEXES", file.indexes),
            _engine_lines(file.engine),
            "\n".join(_line(key, value) for key, value in file.settings.items()),
            block("SHARED_WITH", ",\n".join(file.shared_with)),
            block("FORWARD_QUERY", file.forward_query),
        ]
    )


def print_pipe(file: PipeText) -> str:
    """Print a ``.pipe`` file that was read or made."""
    settings = "\n".join(_line(key, value) for key, value in file.settings.items())
    head = _head(file.description, file.tokens, file.tags, file.includes)
    return _joined([*head, settings, *(_node(node) for node in file.nodes)])


def print_connection(file: ConnectionText) -> str:
    """Print a ``.connection`` file that was read or made."""
    lines = [f"TYPE {file.type}"] if file.type else []
    lines += [_line(key, value) for key, value in file.settings.items()]
    return _joined([*_head(file.description, (), file.tags), "\n".join(lines)])


def block(keyword: str, text: str) -> str:
    """Print a text of several lines; nothing when there is none."""
    if not text.strip():
        return ""
    lines = text.strip("\n").replace("\r\n", "\n").split("\n")
    return f"{keyword} >\n" + "\n".join(f"    {line}" if line.strip() else "" for line in lines).rstrip()


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(
    description: str, tokens: Sequence[TokenText], tags: Sequence[str], includes: Sequence[str] = ()
) -> list[str]:
    return [
        block("DESCRIPTION", description),
        "\n".join(f'TOKEN "{token.name}" {token.right}'.rstrip() for token in tokens),
        f'TAGS "{", ".join(tags)}"' if tags else "",
        "\n".join(f"INCLUDE {include}" for include in includes),
    ]


def _node(node: NodeText) -> str:
    lines = [f"NODE {node.name}"]
    if node.description.strip():
        lines.append(block("DESCRIPTION", node.description) + "\n")
    lines.append(block("SQL", node.sql) or "SQL >")
    given = {setting_name(key): text for key, text in node.settings.items() if text}
    kind = node.type or "standard"
    settings = [f"TYPE {kind}"] if kind != "standard" else []
    settings += [_line(key, given[key]) for key in _NODE_ORDER if key in given]
    engine = {key: text for key, text in given.items() if key.startswith("engine")}
    settings += [text for text in [_engine_lines(engine)] if text]
    known = {*_NODE_ORDER, *engine}
    settings += [_line(key, text) for key, text in given.items() if key not in known]
    return "\n".join(lines) + ("\n\n" + "\n".join(settings) if settings else "")


def _engine_key(key: str) -> str:
    key = key.lower()
    return "engine" if key == "type" else key if key.startswith("engine") else f"engine_{key}"


def _engine_lines(engine: Mapping[str, str]) -> str:
    """Print the engine and then its options, those in the order of the alphabet, all in quotes."""
    keys = sorted((key for key in engine if engine[key].strip()), key=lambda key: (key != "engine", key))
    return "\n".join(_line(key, engine[key], quoted=True) for key in keys)


def _line(key: str, value: str, *, quoted: bool = False) -> str:
    """Print a setting in one line when one line can hold it, with the fewest quotes unless *quoted*."""
    keyword = key.upper()
    spellings = [value, f'"{value}"', f"'{value}'"]
    for text in spellings[1:] + spellings[:1] if quoted else spellings:
        if "\n" not in value and value.strip() and read_value(text) == value:
            return f"{keyword} {text}"
    return block(keyword, value) or keyword
