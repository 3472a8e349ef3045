"""Datafiles as the client makes and reads them, against files of all kinds and against the server's own reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinymagic.datafiles import (
    ConnectionText,
    DatasourceText,
    NodeText,
    PipeText,
    TokenText,
    datasource_text,
    pipe_text,
    print_connection,
    print_datasource,
    print_pipe,
    read_connection,
    read_datasource,
    read_pipe,
)
from tinymagic.datafiles.comparing import meaning
from tinymagic.datafiles.includes import IncludeProblem, expanded
from tinymagic.datafiles.places import place_for
from tinymagic.local.datafiles.parsing import parse_datafile

PROJECTS = Path(__file__).parents[2] / "projects"
FILES = sorted(path for kind in ("datasource", "pipe", "connection") for path in PROJECTS.rglob(f"*.{kind}"))


def read(path: Path, text: str) -> Any:
    """Read a file of any kind."""
    if path.suffix == ".pipe":
        return read_pipe(text, name=path.stem)
    return read_datasource(text) if path.suffix == ".datasource" else read_connection(text)


def printed(file: Any) -> str:
    """Print a file of any kind."""
    if isinstance(file, PipeText):
        return print_pipe(file)
    return print_datasource(file) if isinstance(file, DatasourceText) else print_connection(file)


class TestFilesOfProjects:
    def test_there_are_many(self):
        assert len(FILES) > 200

    @pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PROJECTS).as_posix())
    def test_what_is_printed_reads_back(self, path):
        file = read(path, path.read_text(encoding="utf-8"))
        text = printed(file)
        assert read(path, text) == file
        assert printed(read(path, text)) == text

    @pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PROJECTS).as_posix())
    def test_the_server_reads_the_same_in_what_is_printed(self, path):
        others = {
            each.relative_to(PROJECTS).as_posix(): each.read_text(encoding="utf-8") for each in PROJECTS.rglob("*.incl")
        }
        place = path.relative_to(PROJECTS).as_posix()
        lines = expanded(path.read_text(encoding="utf-8"), place, others.get)
        text = "\n".join(line.text for line in lines)
        expected = parse_datafile(path.read_text(encoding="utf-8"), place, includes=others)
        assert parse_datafile(printed(read(path, text)), place, includes={}) == expected

    def test_every_line_knows_where_it_is_from(self):
        place = "odd_bits_classic/datasources/measures.datasource"
        texts = {path.relative_to(PROJECTS).as_posix(): path.read_text("utf-8") for path in PROJECTS.rglob("*.*incl")}
        lines = expanded((PROJECTS / place).read_text("utf-8"), place, texts.get)
        found = {line.text: (line.file, line.number) for line in lines}
        engine = "odd_bits_classic/includes/engine.incl"
        assert found['ENGINE_PARTITION_KEY "toYYYYMM(at)"'] == (engine, 2)
        assert found['MAINTAINER "someone"'] == (place, 2)


# Words that mean something in datafiles, SQL and templates, so that they meet in every combination.
WORDS = (
    "a b_c SELECT FROM t TYPE type TOKEN NODE n SQL > x # -- SCHEMA DESCRIPTION ENGINE , ( ) 'it' \"q\" '#' `c` "
    "% {{x}} {% if a %} {% end %} INCLUDE * @ ñ 😀 READ endpoint TYPE endpoint 1 = 0 $A ${B} s3://b/x#y"
).split(" ")
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
values = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)


@st.composite
def blocks(draw: Any) -> str:
    """Draw a text of several lines, indented in any way, with blank lines inside; its first line is not indented."""
    lines = draw(st.lists(st.tuples(st.sampled_from(["", "  ", "\t"]), values), min_size=1, max_size=5))
    gaps = draw(st.lists(st.sampled_from(["\n", "\n\n"]), min_size=5, max_size=5))
    return lines[0][1] + "".join(gap + indent + line for gap, (indent, line) in zip(gaps, lines[1:], strict=False))


def options(*keys: str) -> Any:
    """Draw settings."""
    return st.dictionaries(st.sampled_from(keys), values, max_size=4)


tokens = st.lists(st.builds(TokenText, names, st.sampled_from(["READ", "APPEND", "READ a > 1"])), max_size=2).map(tuple)
nodes = st.builds(
    NodeText,
    name=names,
    sql=blocks(),
    description=st.just("") | blocks(),
    type=st.sampled_from(["standard", "endpoint", "materialized", "copy", "sink"]),
    settings=options("datasource", "copy_schedule", "engine", "engine_ttl", "export_bucket_uri", "new_keyword"),
)
pipes = st.builds(
    PipeText,
    nodes=st.lists(nodes, min_size=1, max_size=3).map(tuple),
    description=st.just("") | blocks(),
    tokens=tokens,
    tags=st.lists(names, max_size=2, unique=True).map(tuple),
)
datasources = st.builds(
    DatasourceText,
    schema=st.just("`a` String `json:$.a`,\n`b` Decimal(9, 2) DEFAULT 'x, # y'"),
    engine=options("engine", "engine_sorting_key", "engine_ttl"),
    description=st.just("") | blocks(),
    tokens=tokens,
    forward_query=st.just("") | blocks(),
    settings=options("kafka_topic", "import_schedule", "something_new"),
)
connections = st.builds(
    ConnectionText, names.map(str.lower), options("kafka_topic", "s3_region"), st.just("") | blocks()
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(pipes | datasources | connections)
def test_whatever_is_printed_reads_back(file):
    """No value of any text is lost, moved to another keyword, or taken for a keyword."""
    path = Path("t.pipe" if isinstance(file, PipeText) else "t.datasource")
    path = Path("t.connection") if isinstance(file, ConnectionText) else path
    text = printed(file)
    again = read(path, text)
    assert printed(again) == text
    assert again == file


class TestMade:
    def test_names_of_the_api(self):
        text = pipe_text(
            "p",
            [NodeText("a", "SELECT 1", type="copy", settings={"target_datasource": "t", "mode": "replace"})],
            description="Words",
            tokens=[("reader", "READ")],
        )
        assert text == (
            'DESCRIPTION >\n    Words\n\nTOKEN "reader" READ\n\nNODE a\nSQL >\n    SELECT 1\n\n'
            "TYPE copy\nTARGET_DATASOURCE t\nCOPY_MODE replace\n"
        )

    def test_the_server_takes_a_data_source(self):
        text = datasource_text(
            "t",
            "a Int32 `json:$.a`, b Enum8('x,y' = 1)",
            engine={"type": "MergeTree", "sorting_key": "a, b", "partition_key": ""},
            ttl="b + toIntervalDay(1)",
            indexes=["by_a a TYPE minmax GRANULARITY 1"],
            tags=("x", "y"),
        )
        file = parse_datafile(text, "t.datasource", includes={})
        assert [column.name for column in file.columns] == ["a", "b"]
        assert file.engine == {
            "engine": "MergeTree",
            "engine_sorting_key": "a, b",
            "engine_ttl": "b + toIntervalDay(1)",
        }
        assert file.tags == ("x", "y")

    def test_a_template_keeps_its_sign(self):
        sql = "%\n  SELECT {{ Int32(n, 1) }}\n-- end"
        assert read_pipe(pipe_text("p", [NodeText("a", sql)])).nodes[0].sql == sql


class TestTolerance:
    def test_unknown_keywords_are_kept(self):
        text = "NODE a\nSQL >\n    SELECT 1\n\nTYPE endpoint\nSHINY_NEW yes\n"
        assert read_pipe(text).nodes[0].settings == {"shiny_new": "yes"}
        assert "SHINY_NEW yes" in print_pipe(read_pipe(text))

    @pytest.mark.parametrize(
        "text", ["", "\n\n", "garbage", "NODE", "SQL", "SQL >", "TOKEN", "TYPE", ">", "\ufeffNODE a", "TAGS", "INCLUDE"]
    )
    def test_nothing_is_refused(self, text):
        for kind in ("a.pipe", "a.datasource", "a.connection"):
            assert isinstance(printed(read(Path(kind), text)), str)

    def test_sql_at_the_margin(self):
        text = "NODE a\nSQL >\nSELECT type,\nengine\nFROM t\nTYPE endpoint\nNODE b\nSQL SELECT 2\n"
        assert [(node.sql, node.type) for node in read_pipe(text).nodes] == [
            ("SELECT type,\nengine\nFROM t", "endpoint"),
            ("SELECT 2", "standard"),
        ]


class TestIncludes:
    @pytest.mark.parametrize(
        ("line", "texts", "words"),
        [
            ('INCLUDE "nosuch.incl"', {}, "not there"),
            ('INCLUDE "open', {}, "cannot be read"),
            ('INCLUDE "a.incl"', {"a.incl": 'INCLUDE "a.incl"\nINCLUDE "a.incl"'}, "too deep"),
        ],
    )
    def test_mistakes(self, line, texts, words):
        with pytest.raises(IncludeProblem, match=words):
            expanded(f"SCHEMA >\n    a String\n\n{line}", "t.datasource", texts.get)

    def test_sql_that_says_include(self):
        text = "NODE a\nSQL >\n    SELECT 1\n    INCLUDE this\n"
        assert [line.text for line in expanded(text, "a.pipe", {}.get)] == text.split("\n")


class TestMeaning:
    PIPE = "NODE a\nSQL >\n    SELECT 1  AS n\n\nTYPE copy\nTARGET_DATASOURCE t\n"

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("1  AS n", "1 AS n"),
            ("TYPE copy", "TYPE COPY"),
            ("t\n", "t\nCOPY_MODE append\n"),
            ("NODE a", "# x\nNODE a"),
        ],
    )
    def test_the_same(self, old, new):
        assert meaning("Pipe", self.PIPE) == meaning("Pipe", self.PIPE.replace(old, new))

    @pytest.mark.parametrize(
        ("old", "new"),
        [("1  AS n", "2 AS n"), ("NODE a", "NODE b"), ("t\n", "u\n"), ("t\n", "t\nCOPY_MODE replace\n"), ("AS", "as")],
    )
    def test_another(self, old, new):
        assert meaning("Pipe", self.PIPE) != meaning("Pipe", self.PIPE.replace(old, new))


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "", ".", "..", ".tinyb", "a\\b", "a\nb", "-a"])
def test_a_name_does_not_choose_its_folder(name):
    assert place_for("Data Source", name) is None
