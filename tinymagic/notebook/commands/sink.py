"""``%tinybird sink``: Sink Pipes, and what they need at AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tinymagic.names import near_names
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.pipe_lookup import get_pipe, near_node, near_pipe
from tinymagic.notebook.commands.running import say_started, schedule_words, when_words
from tinymagic.notebook.display import visible
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from tinymagic.notebook.tinybird import Call


def ls(call: Call) -> pd.DataFrame:
    """Return all Sink Pipes: one row each."""
    import pandas as pd

    sinks = sorted(call.workspace.sinks.list(), key=lambda each: each.pipe)
    rows = [
        (
            each.pipe,
            each.node,
            each.connection,
            each.kafka_topic or "/".join(part for part in (each.path, each.file_template) if part),
            each.format if not each.kafka_topic else "",
            each.schedule.cron if each.schedule else "",
            each.schedule.status or "" if each.schedule else "",
        )
        for each in sinks
    ]
    columns = ["pipe", "node", "connection", "writes to", "format", "schedule", "status"]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=columns)
    return frame


def create(call: Call) -> None:
    """Make a node a sink."""
    (pipe, node), options = call.words, call.options
    if "connection" not in options:
        raise CellProblem("--connection is needed: %tinybird connection ls shows which there are.")
    get_pipe(call, pipe)
    with near_node(call, pipe, node):
        made = call.workspace.sinks.create(
            pipe,
            node,
            connection=options["connection"],
            path=options.get("path"),
            file_template=options.get("file_template"),
            format=options.get("format"),
            compression=options.get("compression"),
            write_strategy=options.get("write_strategy"),
            schedule_cron=options.get("schedule"),
            kafka_topic=options.get("kafka_topic"),
        )
    when = when_words(made.schedule, f"when asked: %tinybird sink run {visible(pipe)}")
    print(f"{visible(node)} of {visible(pipe)} is written to {visible(options['connection'])} {when}.")


def run(call: Call) -> None:
    """Write now."""
    name, options = call.words[0], call.options
    with near_pipe(call, name):
        job = call.workspace.sinks.run(
            name,
            params=call.params(),
            connection=options.get("connection"),
            path=options.get("path"),
            file_template=options.get("file_template"),
            format=options.get("format"),
            compression=options.get("compression"),
            write_strategy=options.get("write_strategy"),
        )
    say_started(call, job, f"sink {name}")


def schedule(call: Call) -> None:
    """Set when it runs by itself."""
    name, cron = call.words
    get_pipe(call, name)
    made = call.workspace.sinks.update(name, schedule_cron=schedule_words(cron))
    print(f"{visible(name)} now writes {when_words(made.schedule, 'only when asked')}.")


def rm(call: Call) -> None:
    """Make it a plain node again."""
    pipe = get_pipe(call, call.words[0])
    what = f"the sink of {visible(pipe.name)}"
    extra = f" Its schedule ({visible(pipe.schedule.cron)}) goes with it." if pipe.schedule else ""
    if confirm(
        f"Remove {what}? The Pipe and the files that were written stay.{extra}",
        yes="yes" in call.options,
        otherwise="Nothing was changed.",
    ):
        call.workspace.sinks.remove(pipe.name)
        print(f"Removed {what}.")


def settings(call: Call) -> None:
    """Print who writes."""
    if (call.word(0) or "").lower().startswith("gcs"):
        print(f"Account at Google: {visible(call.workspace.sinks.bigquery_credentials())}")
        return
    for name, value in call.workspace.sinks.settings(call.word(0) or "s3").items():
        print(f"{visible(str(name)) + ':':<14}{visible(str(value))}")


def policy(call: Call) -> None:
    """Print a policy document."""
    from tinymagic.api.sink_policies import SINK_POLICIES

    wanted, service = call.words[0], call.word(1) or "s3"
    if wanted not in SINK_POLICIES:
        raise CellProblem(
            f"There is no policy {wanted!r}; there are {', '.join(SINK_POLICIES)}.",
            suggestions=tuple(near_names(wanted, list(SINK_POLICIES))),
        )
    document: Mapping[str, object] = call.workspace.sinks.policy(service, wanted, bucket=call.options.get("bucket"))
    print("\n".join(visible(line) for line in json.dumps(dict(document), indent=2).splitlines()))
