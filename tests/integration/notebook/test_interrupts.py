"""Interrupting a command: the waiting ends, the next cell works, and the job can be ended."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading

import pytest

pytestmark = pytest.mark.alone


@pytest.fixture
def slow(connected, workspace):
    """A copy that takes minutes."""
    workspace.datasources.create("interrupted_copy", "n UInt64")
    q = "SELECT toUInt64(sum(cityHash64(number))) AS n FROM numbers(200000000000)"
    workspace.pipes.create("interrupted", [{"name": "n", "sql": q}])
    workspace.copies.create("interrupted", "n", "interrupted_copy")
    yield connected
    for job in workspace.jobs.list():
        if job.status in ("waiting", "working"):
            with contextlib.suppress(Exception):
                workspace.jobs.cancel(job.id)
    workspace.pipes.delete("interrupted")
    workspace.datasources.delete("interrupted_copy")


def interrupted(cells, line, after_s=2.0):
    """Run a cell and press Ctrl-C in the middle of it."""
    timer = threading.Timer(after_s, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        return cells.run(line)
    finally:
        timer.cancel()


def test_a_wait_for_a_job(slow, workspace):
    ran = interrupted(slow, "%tinybird copy run interrupted --wait")
    assert isinstance(ran.error, KeyboardInterrupt)
    assert len(ran.card) == 1
    found = re.search(r"%tinybird job cancel ([\w-]+) ends it", ran.printed)
    assert found is not None, ran.printed
    assert workspace.jobs.get(found[1]).status in ("waiting", "working")
    assert slow.ok("%tbsql SELECT 1 AS n").value.n.tolist() == [1]
    workspace.jobs.cancel(found[1])


def test_a_query(connected):
    ran = interrupted(connected, "%tbsql SELECT sum(cityHash64(number)) AS n FROM numbers(200000000000)")
    assert isinstance(ran.error, KeyboardInterrupt)
    assert connected.ok("%tbsql SELECT 1 AS n").value.n.tolist() == [1]
