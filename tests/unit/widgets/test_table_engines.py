"""What is suggested for keys, which options engines need, the words of CSV dialects, and the lines of the panel."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tinymagic.notebook.words import words_of
from tinymagic.widgets.models import analyze_lines
from tinymagic.widgets.models.csv_dialect import dialect_problem, meant, shown
from tinymagic.widgets.models.file_source import Source
from tinymagic.widgets.models.panel_model import quoted
from tinymagic.widgets.models.schema_draft import DraftColumn, SchemaDraft
from tinymagic.widgets.models.table_engines import suggested_keys, suggested_partitions, suggested_ttls

AT, CITY, N = (
    DraftColumn("at", "DateTime64(3)"),
    DraftColumn("city", "LowCardinality(String)"),
    DraftColumn("n", "Int8"),
)


def test_keys():
    assert suggested_keys([DraftColumn("x", "Float64")]) == ["tuple()"]
    assert suggested_keys([N, DraftColumn("x", "Float64")])[0] == "n"
    assert suggested_keys([replace(AT, nullable=True), DraftColumn("id", "UUID")])[0] == "id"
    assert suggested_keys([DraftColumn("at", "Nullable(DateTime)")]) == ["tuple()"]
    assert suggested_keys([N, AT, CITY])[0] == "city, at"


def test_partitions_and_ttls():
    assert suggested_partitions([N]) == suggested_ttls([N]) == []
    assert suggested_partitions([AT]) == ["toYear(at)", "toYYYYMM(at)"]
    assert "toDateTime(at) + toIntervalMonth(3)" in suggested_ttls([AT])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"engine": "MergeTree"}, ""),
        ({"engine": "Null", "sorting_key": "nothing"}, ""),
        ({"engine": "CollapsingMergeTree"}, "needs a sign column"),
        ({"engine": "CollapsingMergeTree", "options": {"sign": "n"}}, ""),
        ({"engine": "CollapsingMergeTree", "options": {"sign": "m"}}, "m is no column"),
        ({"engine": "ReplacingMergeTree", "sorting_key": ""}, "needs a sorting key"),
        ({"engine": "SummingMergeTree", "options": {"columns": "n, m", "sign": "x"}}, "m is no column"),
        ({"sorting_key": "tuple()"}, ""),
        ({"sorting_key": "m"}, "names m"),
        ({"partition_key": "toYear(gone)"}, "The partition key names gone"),
        ({"ttl": "gone + toIntervalDay(1)"}, "The TTL names gone"),
        ({"by_place": True}, "none can be left out"),
    ],
)
def test_problems(changes, said):
    columns = (AT, CITY, N, DraftColumn("gone", "Date", included=False))
    problems = replace(SchemaDraft(columns, sorting_key="city"), **changes).table_problems()
    assert len(problems) == bool(said)
    assert said in "".join(problems)


def test_what_an_engine_does_not_have_is_not_sent():
    draft = SchemaDraft((AT, N), "Null", "at", "toYear(at)", "", {"sign": "n"})
    assert draft.engine_fields == {"engine": "Null"}
    draft = replace(draft, engine="CollapsingMergeTree", ttl=" ")
    assert draft.engine_fields == {
        "engine": "CollapsingMergeTree",
        "engine_sorting_key": "at",
        "engine_partition_key": "toYear(at)",
        "engine_sign": "n",
    }


@pytest.mark.parametrize("value", ["\t", " ", "\n", "\r\n", ";", "\\", "|"])
def test_separators_come_back(value):
    assert meant(shown(value)) == value


@pytest.mark.parametrize(
    "dialect",
    [
        {"delimiter": ";;"},
        {"delimiter": '"'},
        {"delimiter": "\n"},
        {"escapechar": "ab"},
        {"new_line": "abc"},
        {"delimiter": "|", "escapechar": "|"},
    ],
)
def test_dialects_that_cannot_be(dialect):
    assert dialect_problem(dialect)


@pytest.mark.parametrize(
    "word", ["trips", "two words", "it's", "$x", "-x", "a\"b'c\\d", "line\nbreak", "", "back\\slash"]
)
def test_words_of_lines_come_back(word):
    assert [each.text for each in words_of(quoted(word))] == [word]


def test_lines():
    enum = DraftColumn("kind", "Enum8('a b' = 1)", path="$.kind")
    draft = SchemaDraft((enum, N), sorting_key="n")
    files = [Source.of("in here/a.ndjson"), Source.of("b", file_format="ndjson")]
    create, append = analyze_lines.creating("x", draft, files, {}).split("\n")
    words = [each.text for each in words_of(create)]
    assert words[:6] == ["%tinybird", "datasource", "create", "x", "--file", "in here/a.ndjson"]
    assert words[words.index("--schema") + 1] == "`kind` Enum8('a b' = 1) `json:$.kind`, `n` Int8"
    assert append == "%tinybird datasource append x b --format ndjson"
    assert analyze_lines.writing("x", draft, "my project").endswith("--to 'my project'")
    kept = replace(draft, ttl="at + toIntervalDay(1)")
    assert analyze_lines.writing("x", kept, ".") == ""
    compile(analyze_lines.creating("x", kept, files, {"delimiter": "\t"}), "line", "exec")
    assert analyze_lines.analyzing(files[1], {}) == "%tinybird analyze b --format ndjson"
    compile(analyze_lines.analyzing(Source.of("a.csv"), {"delimiter": ";"}), "line", "exec")
