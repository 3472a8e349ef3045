"""``%tinybird job``. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import WAIT, Command, Noun

JOB = Noun(
    "job",
    "work in the background: imports, copies, populations, deletions",
    (
        Command(
            ("job", "ls"),
            "the jobs of the last 48 hours, newest first, as a DataFrame",
            "job:ls",
            (),
            (
                Option(
                    ("--status",),
                    "only these: waiting, working, done, error, cancelling, cancelled; may be repeated",
                    "STATUS",
                    many=True,
                ),
                Option(("--kind",), "only these, for instance import or copy; may be repeated", "KIND", many=True),
                Option(("--pipe",), "only those of this Pipe", "PIPE"),
                Option(("--since",), "only newer ones: 30m, 2h, 1d, or a point in time (UTC)", "TIME"),
            ),
        ),
        Command(("job", "show"), "everything about one", "job:show", ("ID",)),
        Command(
            ("job", "wait"),
            "wait until one is over, with a bar",
            "job:wait",
            ("ID",),
            (Option(("--timeout",), "at most so many seconds", "S", "seconds"),),
            "An interrupt ends the waiting, not the job.",
        ),
        Command(("job", "cancel"), "end one that waits or works", "job:cancel", ("ID",)),
        Command(("job", "retry"), "start an import that failed or was cancelled anew", "job:retry", ("ID",), (WAIT,)),
    ),
)
