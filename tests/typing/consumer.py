"""Code of a user, for the type checker only: `tests/unit/test_typing.py` checks it."""

from __future__ import annotations

import pandas as pd
from typing_extensions import assert_type

import tinymagic
from tinymagic.api.datasources import DataSource
from tinymagic.api.ingest.report import IngestReport
from tinymagic.api.jobs import Job
from tinymagic.api.workspace import WorkspaceInfo


def use(frame: pd.DataFrame) -> None:
    ws = tinymagic.connect()
    assert_type(ws, tinymagic.Workspace)
    assert_type(ws.sql("SELECT 1", params={"a": 1}, limit=5, format="json"), pd.DataFrame)
    assert_type(ws.info(), WorkspaceInfo)
    assert_type(ws.datasources.list(), list[DataSource])
    assert_type(ws.datasources.append("a", frame), IngestReport)
    assert_type(ws.datasources.append("a", "https://example.org/a.csv", wait=False), Job)
    assert_type(ws.events.send("a", {"n": 1}), IngestReport)
    assert_type(ws.datasources.append("a", [{"n": 1}]).rows, "int | None")
    assert_type(ws.query.run("SELECT 1", pipeline="p").body, bytes)
    try:
        ws.sql("SELECT 1", format="csv")  # type: ignore[call-overload]
    except tinymagic.errors.QueryError as error:
        assert_type(error.position, "int | None")
        assert_type(error.status, "int | None")
