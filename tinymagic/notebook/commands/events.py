"""``%tinybird events``: rows as JSON, a batch a request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tinymagic.notebook.commands.datasource_facts import near_source
from tinymagic.notebook.commands.rows_in import left, rows_named, say, sending
from tinymagic.notebook.given_values import variable
from tinymagic.notebook.options import parse_command
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.words import next_word, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from tinymagic.notebook.tinybird import Call


def send(call: Call) -> pd.DataFrame | None:
    """Send rows, and say what became of them."""
    name = call.words[0]
    given, options = _rows_and_options(call)
    rows = rows_named(call, given)
    batch = options.get("batch")
    with (
        near_source(call, name),
        sending(call, f"send to {name}") as (tell, cancellation),
    ):
        report = call.workspace.events.send(
            name,
            rows,
            wait="no_wait" not in options,
            batch_rows=None if batch is None else int(batch),
            on_failure="continue" if "go_on" in options else "stop",
            on_progress=tell,
            cancellation=cancellation,
        )
    return say(call, report)


def _rows_and_options(call: Call) -> tuple[str, Mapping[str, str]]:
    """Take the rest of the line apart: JSON ends where its last bracket is, and options may stand behind the rows."""
    text = call.words[1]
    if text[:1] in ("{", "["):
        try:
            _, end = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError) as error:
            raise CellProblem(f'This is no JSON: {error}. Write for instance {{"page": "/", "n": 1}}.') from None
        given, behind = text[:end], text[end:]
    else:
        word = next_word(text, 0) if " " in text else None
        given, behind = (text, "") if word is None else (word.text, text[word.end :])
    found = parse_command(words_of(behind), call.command.options, behind)
    if found.words:
        raise CellProblem(f"{found.words[0].text!r} is one word too many: %tinybird {call.command.usage()}")
    return given, {**call.options, **found.options}


def stream(call: Call) -> pd.DataFrame | None:
    """Send rows as a generator gives them, until it ends or is interrupted."""
    name, given = call.words
    generator: Any = variable(given, call.notebook.shell.user_ns)
    if callable(generator):
        generator = generator()
    if not hasattr(generator, "__iter__") or isinstance(generator, (str, bytes, dict)):
        raise CellProblem(
            f"{given!r} is {type(generator).__name__}: a stream takes a generator of dictionaries, or a function that "
            "gives one."
        )
    seconds = call.options.get("every")
    with (
        near_source(call, name),
        sending(call, f"stream to {name}") as (tell, cancellation),
    ):
        report = call.workspace.events.stream(
            name,
            generator,
            wait="no_wait" not in call.options,
            flush_rows=call.number("batch") or 10_000,
            flush_s=1.0 if seconds is None else float(seconds),
            on_failure="continue" if "go_on" in call.options else "stop",
            on_progress=tell,
            cancellation=cancellation,
        )
    return say(call, report)


def retry(call: Call) -> pd.DataFrame | None:
    """Send again what the last command did not store, and nothing else."""
    report = left(call)
    with sending(call, f"send again to {report.name}") as (tell, cancellation):
        again = call.workspace.events.retry(
            report,
            include_unknown="include_unknown" in call.options,
            on_progress=tell,
            cancellation=cancellation,
        )
    return say(call, again)
