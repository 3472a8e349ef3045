"""Data Sources: shapes that are read, requests that are sent, and the count of every row."""

from __future__ import annotations

from email import message_from_bytes

import pandas as pd
import pytest

from tinymagic.api.datasources import DataSource, ImportReport
from tinymagic.api.errors import (
    BadRequest,
    Conflict,
    ConnectionFailed,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    Timeout,
)

#: A description with every field of datasources.md section 2.2.
DESCRIBED = {
    "id": "t_" + "0" * 32,
    "name": "events",
    "cluster": "tinybird",
    "tags": {},
    "created_at": "2026-01-02 03:04:05.000006",
    "updated_at": "2026-01-02 03:04:06.000007",
    "replicated": True,
    "version": 0,
    "engine": {"engine": "MergeTree", "engine_sorting_key": "day"},
    "description": "what happened",
    "used_by": [{"id": "t_1", "name": "top"}, {"id": "t_2", "name": "last"}],
    "type": "ndjson",
    "columns": [
        {
            "name": "day",
            "type": "Date",
            "nullable": False,
            "normalized_name": "day",
            "codec": None,
            "default_value": "DEFAULT today()",
            "jsonpath": "$.day",
        },
        {"name": "n", "type": "Int64", "nullable": True, "codec": "CODEC(ZSTD)"},
    ],
    "statistics": {"bytes": 410, "row_count": 3},
    "quarantine_rows": 2,
    "schema": {"sql_schema": "`day` Date"},
    "new_in_2027": {"a": 1},
}
IMPORTED = {
    "import_id": "i-1",
    "datasource": {"id": "t_1", "name": "events"},
    "error": False,
    "errors": [],
    "quarantine_rows": 0,
    "invalid_lines": 0,
    "blocks": [
        {"block_id": "1", "process_return": [{"parser": "clickhouse", "lines": 3, "quarantine": 0, "bytes": 120}]},
        {"block_id": "2", "process_return": [{"parser": "python", "lines": 4, "quarantine": 0, "bytes": 1}]},
    ],
}


def parts_of(seen):
    raw = f"Content-Type: {seen.headers['content-type']}\r\n\r\n".encode() + seen.body
    return {
        part.get_param("name", header="content-disposition"): part for part in message_from_bytes(raw).get_payload()
    }


def fields_of(seen):
    return {
        name: part.get_payload(decode=True).decode()
        for name, part in parts_of(seen).items()
        if part.get_filename() is None
    }


class TestReading:
    def test_a_whole_description(self):
        source = DataSource.of(DESCRIBED)
        assert (source.id, source.name, source.description) == (DESCRIBED["id"], "events", "what happened")
        assert [(c.name, c.type, c.nullable, c.default, c.jsonpath, c.codec) for c in source.columns] == [
            ("day", "Date", False, "DEFAULT today()", "$.day", None),
            ("n", "Int64", True, None, None, "CODEC(ZSTD)"),
        ]
        assert (source.statistics.bytes, source.statistics.row_count, source.quarantine_rows) == (410, 3, 2)
        assert (source.used_by, source.schema, source.type) == (("top", "last"), "`day` Date", "ndjson")
        assert source.raw["new_in_2027"] == {"a": 1}
        with pytest.raises(TypeError):
            source.raw["x"] = 1

    @pytest.mark.parametrize(
        "described",
        [
            {},
            {"name": "a", "statistics": None, "columns": None, "engine": None, "used_by": None, "schema": None},
            {"statistics": [], "columns": {"a": 1}, "engine": "MergeTree", "used_by": "x", "schema": "`a` Int32"},
            {"stats": {"row_count": "7"}, "quarantine_rows": "many", "columns": [1, {}], "used_by": ["top", {}]},
        ],
    )
    def test_other_shapes_are_no_error(self, described):
        assert isinstance(DataSource.of(described), DataSource)

    def test_statistics_under_their_other_name(self):
        assert DataSource.of({"stats": {"row_count": "7"}}).statistics.row_count == 7

    def test_list_and_get(self, server, ws):
        server.on("/v0/datasources", server.answer({"datasources": [DESCRIBED, {"name": "b"}]}))
        assert [source.name for source in ws.datasources.list()] == ["events", "b"]
        server.on("/v0/datasources/events", server.answer(DESCRIBED))
        assert ws.datasources.get("events").schema == "`day` Date"

    @pytest.mark.parametrize("reply", [{}, {"datasources": None}, {"datasources": [None, 1]}])
    def test_a_list_of_nothing(self, server, ws, reply):
        server.on("/v0/datasources", server.answer(reply))
        assert ws.datasources.list() == []

    @pytest.mark.parametrize(
        ("name", "path"),
        [("a/../b", "a%2F..%2Fb"), ("ws.shared", "ws.shared"), ("a?b#c", "a%3Fb%23c")],
    )
    def test_a_name_cannot_leave_its_place_in_the_path(self, server, ws, name, path):
        with pytest.raises(NotFound):
            ws.datasources.get(name)
        assert server.seen[0].path == f"/v0/datasources/{path}"

    @pytest.mark.parametrize("name", ["", ".", ".."])
    def test_a_step_in_a_path_is_no_name(self, server, ws, name):
        for call in (ws.datasources.get, ws.datasources.delete, ws.datasources.truncate, ws.datasources.datafile):
            with pytest.raises(InvalidInput):
                call(name)
        assert server.seen == []

    def test_the_definition_as_a_datafile(self, server, ws):
        server.on("/v0/datasources/a.datasource", server.Answer(200, b"SCHEMA >\n    `a` Int32\n"))
        assert ws.datasources.datafile("a").startswith("SCHEMA >")


class TestChanging:
    def test_create(self, server, ws):
        server.on("/v0/datasources", server.answer({"datasource": DESCRIBED}))
        source = ws.datasources.create(
            "events",
            "day Date",
            sorting_key="day",
            partition_key="toYYYYMM(day)",
            engine_options={"ver": "n", "engine_is_deleted": "gone"},
            description="d",
        )
        seen = server.seen[0]
        assert source.name == "events"
        assert (seen.method, seen.query) == ("POST", {"mode": "create", "name": "events"})
        assert seen.form == {
            "schema": "day Date",
            "engine": "MergeTree",
            "engine_sorting_key": "day",
            "engine_partition_key": "toYYYYMM(day)",
            "engine_ver": "n",
            "engine_is_deleted": "gone",
            "description": "d",
        }

    def test_without_options_the_service_chooses(self, server, ws):
        server.on("/v0/datasources", server.answer({"datasource": DESCRIBED}))
        ws.datasources.create("events", "day Date")
        assert server.seen[0].form == {"schema": "day Date"}

    @pytest.mark.parametrize("name", ["", "a b", "1a", "select", "x_quarantine"])
    def test_a_name_is_checked_before_anything_is_sent(self, server, ws, name):
        for call in (
            lambda: ws.datasources.create(name, "a Int32"),
            lambda: ws.datasources.create_from(name, b"a\n1\n"),
        ):
            with pytest.raises(InvalidInput):
                call()
        assert server.seen == []

    def test_delete_and_truncate(self, server, ws):
        server.on("/v0/datasources/a", server.Answer(204)).on("/v0/datasources/a/truncate", server.Answer(205))
        ws.datasources.delete("a")
        ws.datasources.delete("a", force=True)
        ws.datasources.truncate("a")
        assert [(seen.method, seen.path, seen.query) for seen in server.seen] == [
            ("DELETE", "/v0/datasources/a", {}),
            ("DELETE", "/v0/datasources/a", {"force": "true"}),
            ("POST", "/v0/datasources/a/truncate", {}),
        ]
        assert server.seen[2].headers["content-length"] == "0"

    def test_what_stands_in_the_way(self, server, ws):
        server.on("/v0/datasources/a", server.answer({"error": "used by top"}, 409))
        with pytest.raises(Conflict, match="used by top"):
            ws.datasources.delete("a")


class TestImporting:
    def test_append_a_file(self, server, ws, tmp_path):
        (tmp_path / "rows.csv").write_bytes(b"a,b\n1,2\n")
        server.on("/v0/datasources", server.answer(IMPORTED))
        report = ws.datasources.append("events", tmp_path / "rows.csv", dialect={"delimiter": ";"})
        seen = server.seen[0]
        assert seen.query == {"mode": "append", "name": "events", "format": "csv", "debug": "blocks"}
        part = parts_of(seen)["csv"]
        assert (part.get_filename(), part.get_payload(decode=True)) == ("rows.csv", b"a,b\n1,2\n")
        assert fields_of(seen) == {"dialect_delimiter": ";"}
        assert (report.rows, report.quarantined, report.invalid_lines, report.complete) == (7, 0, 0, True)
        assert (report.import_id, report.datasource.name, report.raw["errors"]) == ("i-1", "events", [])
        assert report.sentence() == "7 rows stored."

    def test_create_from_a_frame_sends_its_schema(self, server, ws):
        server.on("/v0/datasources", server.answer(IMPORTED))
        ws.datasources.create_from("events", pd.DataFrame({"n": [1], "s": ["a"]}), sorting_key="n")
        assert server.seen[0].query["mode"] == "create"
        assert fields_of(server.seen[0]) == {
            "schema": "`n` Int64 `json:$.n`, `s` String `json:$.s`",
            "engine": "MergeTree",
            "engine_sorting_key": "n",
        }

    def test_create_from_dictionaries_does_so_too(self, server, ws):
        server.on("/v0/datasources", server.answer(IMPORTED))
        ws.datasources.create_from("events", [{"n": 1}, {"n": 2}])
        assert fields_of(server.seen[0])["schema"] == "`n` Int64 `json:$.n`"

    def test_create_from_csv_leaves_the_schema_to_the_service(self, server, ws):
        server.on("/v0/datasources", server.answer(IMPORTED))
        ws.datasources.create_from("events", b"a,b\n", type_guessing=False)
        assert fields_of(server.seen[0]) == {"type_guessing": "false"}

    def test_replace_with_a_condition(self, server, ws):
        server.on("/v0/datasources", server.answer(IMPORTED))
        ws.datasources.replace(
            "ws.shared", b"a\n", condition="day = today()", options={"replace_truncate_when_empty": "true"}
        )
        assert server.seen[0].query["mode"] == "replace"
        assert server.seen[0].query["name"] == "ws.shared"
        assert fields_of(server.seen[0]) == {
            "replace_condition": "day = today()",
            "replace_truncate_when_empty": "true",
        }

    def test_a_wrong_dialect_is_refused(self, server, ws):
        with pytest.raises(InvalidInput, match="'sep'"):
            ws.datasources.append("events", b"a\n", dialect={"sep": ";"})
        assert server.seen == []

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 598, 599])
    def test_no_import_is_sent_twice_when_its_fate_is_unknown(self, server, ws, status):
        server.on("/v0/datasources", server.answer({"error": "x"}, status))
        with pytest.raises(Exception, match=str(status)):
            ws.datasources.append("events", b"a\n1\n")
        assert len(server.seen) == 1

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            ({"how": "reset"}, ConnectionFailed),
            ({"how": "hang up"}, ConnectionFailed),
            ({"how": "slow", "seconds": 9}, Timeout),
        ],
    )
    def test_nor_when_the_connection_breaks(self, server, ws, answer, error):
        server.on("/v0/datasources", server.Answer(**answer))
        with pytest.raises(error, match="look before you repeat it"):
            ws.datasources.append("events", b"a\n1\n", timeout_s=0.3)
        assert len(server.seen) == 1

    def test_after_429_it_is_sent_again_whole(self, server, ws, waits, tmp_path):
        (tmp_path / "a.csv").write_bytes(b"a\n1\n" * 10_000)
        server.on("/v0/datasources", server.answer(status=429, **{"Retry-After": "0"}), server.answer(IMPORTED))
        ws.datasources.append("events", tmp_path / "a.csv")
        assert server.seen[0].body == server.seen[1].body
        assert len(waits) == 1

    def test_an_append_to_a_misspelt_name_makes_nothing(self, ws, server):
        """Classic would make a new Data Source of that name."""
        server.on("/v0/datasources/evens", server.answer({"error": "Data Source 'evens' does not exist."}, 404))
        with pytest.raises(NotFound, match="evens"):
            ws.datasources.append("evens", b"a\n1\n")
        assert [(seen.method, seen.query) for seen in server.seen] == [("GET", {"attrs": "name,columns"})]

    def test_a_token_for_appending_only_need_not_read(self, ws, server):
        server.on("/v0/datasources/events", server.answer({"error": "no"}, 403))
        server.on("/v0/datasources", server.answer(IMPORTED))
        assert ws.datasources.append("events", b"a\n1\n").rows == 7

    def test_errors_of_the_service(self, server, ws):
        server.on("/v0/datasources", server.answer({"error": "bad file", "errors": ["line 3"]}, 400))
        with pytest.raises(BadRequest, match=r"bad file\. line 3\.") as caught:
            ws.datasources.append("events", b"a\n")
        assert caught.value.errors == ("line 3",)
        server.on("/v0/datasources", server.answer({"error": "big"}, 413))
        with pytest.raises(PayloadTooLarge):
            ws.datasources.append("events", b"a\n")


PARTIAL = {
    **IMPORTED,
    "error": "There was an error with file contents: 2 rows in quarantine.",
    "errors": ["value 'x' on column 'n' is not Int64"],
    "quarantine_rows": 2,
    "invalid_lines": 1,
    "blocks": [{"process_return": [{"lines": 5, "quarantine": 2}]}],
}


class TestReports:
    @pytest.mark.parametrize(
        ("reply", "mode", "counts"),
        [
            (IMPORTED, "append", (7, 0, 0)),
            (PARTIAL, "append", (5, 2, 1)),
            ({"quarantine_rows": 2, "invalid_lines": 0}, "append", (None, 2, 0)),
            ({"successful_rows": 4, "quarantined_rows": 1}, "append", (4, 1, None)),
            ({"datasource": DESCRIBED}, "create", (3, None, None)),
            ({"datasource": DESCRIBED}, "append", (None, None, None)),
            ({"blocks": None, "quarantine_rows": None}, "append", (None, None, None)),
            ({"blocks": [{"process_return": None}, {}, {"process_return": [{"lines": None}]}]}, "append", (None,) * 3),
            ({}, "replace", (None, None, None)),
        ],
    )
    def test_counts(self, reply, mode, counts):
        report = ImportReport.of(reply, mode=mode)
        assert (report.rows, report.quarantined, report.invalid_lines) == counts

    def test_a_partial_import_is_a_report_and_no_error(self, server, ws):
        server.on("/v0/datasources", server.answer(PARTIAL))
        report = ws.datasources.append("events", b"a\n")
        assert (report.complete, report.error, report.errors) == (False, PARTIAL["error"], tuple(PARTIAL["errors"]))
        assert report.sentence() == (
            "5 rows stored, 2 rows in quarantine, 1 line not readable. Do not send all of them again: the stored rows "
            "would be there twice."
        )

    @pytest.mark.parametrize(
        ("report", "sentence"),
        [
            (ImportReport(1, 0, 0, None, (), None, None, {}), "1 row stored."),
            (ImportReport(0, 3, 0, None, (), None, None, {}), "0 rows stored, 3 rows in quarantine."),
            (
                ImportReport(None, None, None, None, (), None, None, {}),
                "The service did not tell how many rows were stored.",
            ),
            (
                ImportReport(2, None, None, "odd file.", (), None, None, {}),
                (
                    "2 rows stored. The service says: odd file. "
                    "Do not send all of them again: the stored rows would be there twice."
                ),
            ),
        ],
    )
    def test_sentences(self, report, sentence):
        assert report.sentence() == sentence
