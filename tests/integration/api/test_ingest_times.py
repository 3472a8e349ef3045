"""The same instant is stored whatever the path its row took and whatever the zone of the column."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

INSTANT = dt.datetime(2024, 7, 1, 12, 30, 15, 250_000, tzinfo=dt.timezone.utc)
COLUMN_ZONES = ("", "UTC", "Europe/Madrid", "America/New_York", "Asia/Kolkata")
VALUE_ZONES = (None, "UTC", "Europe/Madrid", "Asia/Kolkata")


def moment_in(zone):
    """The instant as a value in *zone*; without one it means UTC."""
    return INSTANT.replace(tzinfo=None) if zone is None else INSTANT.astimezone(ZoneInfo(zone))


def sent_by(ws, name):
    """Each path, with what sends a row by it."""
    frame = pd.DataFrame
    yield "parquet", lambda row: ws.datasources.append(name, frame([row]))
    yield "multipart ndjson", lambda row: ws.datasources.append(name, frame([row]), format="ndjson")
    yield "table by events", lambda row: ws.datasources.append(name, frame([row]), via="events")
    yield "dictionaries", lambda row: ws.datasources.append(name, [row])
    yield "generator", lambda row: ws.events.send(name, iter([row]))
    yield (
        "pandas values",
        lambda row: ws.events.send(name, [{k: pd.Timestamp(v) if k == "z" else v for k, v in row.items()}]),
    )
    yield "table in a generator", lambda row: ws.events.send(name, iter([frame([row])]))


@pytest.mark.parametrize("column_zone", COLUMN_ZONES)
def test_instants_are_equal(workspace, column_zone):
    name = "times_" + (column_zone or "none").replace("/", "_").lower()
    zone = f", '{column_zone}'" if column_zone else ""
    workspace.datasources.create(name, f"way String `json:$.way`, z DateTime64(3{zone}) `json:$.z`")
    expected = set()
    for way, send in sent_by(workspace, name):
        for value_zone in VALUE_ZONES:
            label = f"{way} {value_zone}"
            assert send({"way": label, "z": moment_in(value_zone)}).complete
            expected.add(label)
    rows = workspace.sql(f"SELECT way, toUnixTimestamp64Milli(z) AS ms FROM {name}").values.tolist()
    assert {way for way, _ in rows} == expected
    assert [row for row in rows if row[1] != INSTANT.timestamp() * 1000] == []


class TestFractions:
    """What a column does not keep of a second is said."""

    @pytest.mark.parametrize("way", ["parquet", "multipart ndjson", "table by events", "dictionaries"])
    def test_a_notice(self, workspace, way):
        name = "times_cut_" + way.replace(" ", "_")
        workspace.datasources.create(name, "n Int8 `json:$.n`, z DateTime `json:$.at`")
        report = dict(sent_by(workspace, name))[way]({"n": 1, "at": INSTANT})
        assert report.complete
        assert [notice.partition(":")[0] for notice in report.notices] == ["Column 'at'"]
        assert report.ignored_columns == ()

    def test_none_when_nothing_is_lost(self, workspace):
        workspace.datasources.create("times_kept", "z DateTime64(3) `json:$.z`")
        assert workspace.datasources.append("times_kept", pd.DataFrame({"z": [INSTANT]})).notices == ()
        assert workspace.datasources.append("times_kept", [{"z": INSTANT}]).notices == ()


def test_a_column_is_filled_by_the_key_of_its_path(workspace):
    workspace.datasources.create("times_paths", "user_id Int64 `json:$.user`, b Nullable(Float64) `json:$.c`")
    report = workspace.datasources.append("times_paths", pd.DataFrame({"user": [1], "c": [0.5], "b": [1.5]}))
    assert report.ignored_columns == ("b",)
    assert workspace.sql("SELECT user_id, b FROM times_paths").values.tolist() == [[1, 0.5]]


def test_old_mac_lines_are_counted(workspace):
    workspace.datasources.create("times_cr", "n Int64, s String")
    report = workspace.datasources.append("times_cr", b"n,s\r1,a\r2,b\r", format="csv")
    assert (report.rows_in, report.stored, report.unknown) == (2, 2, 0), report
