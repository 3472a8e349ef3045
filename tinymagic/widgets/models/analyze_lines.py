"""Lines that do what the panel for files does: ``%tinybird`` where it has the options, else a call in Python. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.widgets.models.panel_model import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinymagic.widgets.models.file_source import Source
    from tinymagic.widgets.models.schema_draft import SchemaDraft

#: Options of ``%tinybird datasource create``, and the parameters of the API that they stand for.
_OPTIONS = {"engine": "--engine", "engine_sorting_key": "--sorting-key", "engine_partition_key": "--partition-key"}


def analyzing(source: Source, dialect: Mapping[str, str]) -> str:
    """Return the line that looks at a file."""
    if dialect and not source.is_url:
        return f"tinymagic.connect().analyze.file({source.name!r}, format='csv', dialect={dict(dialect)!r})"
    return f"%tinybird analyze {quoted(source.name)}" + _format(source)


def creating(name: str, draft: SchemaDraft, sources: Sequence[Source], dialect: Mapping[str, str]) -> str:
    """Return the lines that make a Data Source and fill it with files.

    Args:
        name: of the Data Source.
        draft: of its schema.
        sources: the files.
        dialect: that somebody has chosen; empty when the service guesses it.
    """
    fields, schema = draft.engine_fields, draft.schema.replace("\n", " ")
    first = sources[0]
    if dialect or not set(fields) <= set(_OPTIONS):
        more = {key: value for key, value in fields.items() if key != "engine"}
        arguments = [repr(name), repr(first.name), f"schema={schema!r}", f"engine={draft.engine!r}"]
        arguments += [f"engine_options={more!r}"] if more else []
        arguments += [f"format={first.format!r}"] if first.format else []
        call = "tinymagic.connect().datasources."
        told = f", dialect={dict(dialect)!r}" if dialect else ""
        lines = [f"{call}create_from({', '.join(arguments)}{told})"]
        return "\n".join([*lines, *(f"{call}append({name!r}, {each.name!r}{told})" for each in sources[1:])])
    lines = [f"%tinybird datasource create {quoted(name)} --file {quoted(first.name)}{_format(first)}{_told(draft)}"]
    lines += [f"%tinybird datasource append {quoted(name)} {quoted(each.name)}{_format(each)}" for each in sources[1:]]
    return "\n".join(lines)


def writing(name: str, draft: SchemaDraft, folder: str) -> str:
    """Return the line that writes the definition into a folder; empty when there is none."""
    if not set(draft.engine_fields) <= set(_OPTIONS):
        return ""
    return f"%tinybird datasource create {quoted(name)}{_told(draft)} --to {quoted(folder)}"


def _told(draft: SchemaDraft) -> str:
    options = "".join(f" {_OPTIONS[key]} {quoted(value)}" for key, value in draft.engine_fields.items())
    return f" --schema {quoted(draft.schema.replace(chr(10), ' '))}{options}"


def _format(source: Source) -> str:
    return f" --format {source.format}" if source.format and not source.format_told else ""
