"""``%tinybird datasource``: those that a connector fills."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.notebook.commands.datasource_facts import near_source
from tinymagic.notebook.commands.running import say_started
from tinymagic.notebook.display import visible

if TYPE_CHECKING:
    from tinymagic.notebook.tinybird import Call


def schedule(call: Call) -> None:
    """Say how the schedule of one stands, let it run or rest, or fetch now."""
    name, verb = call.words[0], call.word(1) or "state"
    sources = call.workspace.datasources
    with near_source(call, name):
        if verb == "run":
            sources.run_scheduling(name)
            print(f"The connector of {visible(name)} fetches now. %tinybird job ls --kind import shows how far it is.")
        elif verb == "pause":
            sources.set_scheduling_state(name, "paused")
            print(f"The schedule of {visible(name)} rests. %tinybird datasource schedule {visible(name)} resume")
        elif verb == "resume":
            sources.set_scheduling_state(name, "running")
            print(f"The schedule of {visible(name)} runs again.")
        elif verb == "state":
            print(f"The schedule of {visible(name)}: {visible(sources.scheduling_state(name) or 'unknown')}.")
        else:
            from tinymagic.names import near_names
            from tinymagic.notebook.problems import CellProblem

            verbs = ["run", "pause", "resume", "state"]
            raise CellProblem(
                f"A schedule takes {', '.join(verbs[:-1])} or {verbs[-1]}, not {verb!r}.",
                suggestions=tuple(near_names(verb, verbs)),
            )


def sample(call: Call) -> None:
    """Import a sample of what the connector sees."""
    name = call.words[0]
    with near_source(call, name):
        job = call.workspace.datasources.sample(
            name,
            max_files=call.number("max_files"),
            rows=call.number("rows"),
            max_bytes=call.number("max_bytes"),
            full_export=True if "full_export" in call.options else None,
        )
    say_started(call, job, f"sample of {name}")


def start(call: Call) -> None:
    """Begin to read from Kafka."""
    name = call.words[0]
    with near_source(call, name):
        call.workspace.datasources.start(name)
    print(f"{visible(name)} reads from Kafka. %tinybird datasource stop {visible(name)} ends that.")


def stop(call: Call) -> None:
    """End reading from Kafka."""
    name = call.words[0]
    with near_source(call, name):
        call.workspace.datasources.stop(name)
    print(f"{visible(name)} no longer reads from Kafka.")
