"""``%tinybird copy``: Copy Pipes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.naming import near
from tinymagic.notebook.commands.pipe_lookup import get_pipe, near_node, near_pipe
from tinymagic.notebook.commands.running import say_started, schedule_words, when_words
from tinymagic.notebook.display import count_of, visible

if TYPE_CHECKING:
    import pandas as pd

    from tinymagic.notebook.tinybird import Call


def ls(call: Call) -> pd.DataFrame:
    """Return all Copy Pipes: one row each."""
    import pandas as pd

    copies = sorted(call.workspace.copies.list(), key=lambda each: each.pipe)
    rows = [
        (
            each.pipe,
            each.node,
            each.datasource,
            each.mode or "",
            each.schedule.cron if each.schedule else "",
            each.schedule.status or "" if each.schedule else "",
        )
        for each in copies
    ]
    columns = ["pipe", "node", "into", "mode", "schedule", "status"]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=columns)
    return frame


def create(call: Call) -> None:
    """Make a node a copy."""
    pipe, node, target = call.words
    get_pipe(call, pipe)
    mode: Any = call.options.get("mode")
    with near_node(call, pipe, node):
        made = call.workspace.copies.create(pipe, node, target, schedule_cron=call.options.get("schedule"), mode=mode)
    when = when_words(made.schedule, f"when asked: %tinybird copy run {visible(pipe)}")
    print(f"{visible(node)} of {visible(pipe)} is copied into {visible(target)} {when}.")


def run(call: Call) -> None:
    """Copy now."""
    name = call.words[0]
    mode: Any = call.options.get("mode")
    if mode == "replace" and not confirm(
        f"Let this run of {visible(name)} take the place of all rows of its Data Source?",
        yes="yes" in call.options,
        otherwise="Nothing was copied.",
    ):
        return
    with near_pipe(call, name):
        job = call.workspace.copies.run(name, params=call.params(), mode=mode)
    say_started(call, job, f"copy {name}")


def sql(call: Call) -> None:
    """Copy what a query gives, once."""
    target, given = call.words
    mode: Any = call.options.get("mode")
    question = f"Replace all rows of {visible(target)} by those of the query?"
    if mode == "replace" and not confirm(question, yes="yes" in call.options, otherwise="Nothing was copied."):
        return
    with near("Data Source", target, lambda: [each.name for each in call.workspace.datasources.list()]):
        job = call.workspace.query.copy_to(call.text(given), target, mode=mode)
    say_started(call, job, f"copy into {target}")


def pause(call: Call) -> None:
    """Let the schedule rest."""
    name = call.words[0]
    with near_pipe(call, name):
        call.workspace.copies.pause(name)
    print(f"The schedule of {visible(name)} rests. %tinybird copy resume {visible(name)} lets it run again.")


def resume(call: Call) -> None:
    """Let the schedule run again."""
    name = call.words[0]
    with near_pipe(call, name):
        call.workspace.copies.resume(name)
    print(f"The schedule of {visible(name)} runs again.")


def cancel(call: Call) -> None:
    """Cancel the runs that are not done."""
    name = call.words[0]
    with near_pipe(call, name):
        jobs = call.workspace.copies.cancel(name)
    cancelled = count_of(len(jobs), "run") if jobs else "no run: none was at work"
    print(f"Cancelled {cancelled}. A schedule rests now: %tinybird copy resume {visible(name)} lets it run again.")


def schedule(call: Call) -> None:
    """Set when it runs by itself."""
    name, cron = call.words
    get_pipe(call, name)
    made = call.workspace.copies.update(name, schedule_cron=schedule_words(cron))
    print(f"{visible(name)} now copies {when_words(made.schedule, 'only when asked')}.")


def rm(call: Call) -> None:
    """Make it a plain node again."""
    pipe = get_pipe(call, call.words[0])
    what = f"the copy of {visible(pipe.name)}"
    extra = f" Its schedule ({visible(pipe.schedule.cron)}) goes with it." if pipe.schedule else ""
    if confirm(
        f"Remove {what}? The Pipe and the rows that were copied stay.{extra}",
        yes="yes" in call.options,
        otherwise="Nothing was changed.",
    ):
        call.workspace.copies.remove(pipe.name)
        print(f"Removed {what}.")
