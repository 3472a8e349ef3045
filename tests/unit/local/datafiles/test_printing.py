"""Datafiles are printed: what was printed reads back as an equal value."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinymagic.local.datafiles.keywords import KEYWORDS
from tinymagic.local.datafiles.model import ConnectionFile, DatasourceFile, NodeFile, PipeFile, TokenLine
from tinymagic.local.datafiles.parsing import parse_datafile
from tinymagic.local.datafiles.printing import connection_text, datasource_text, pipe_text
from tinymagic.local.tables.schema import Column, print_schema

PROJECTS = Path(__file__).parents[3] / "projects"

# Words that mean something in datafiles, SQL and templates, so that they meet in every combination.
WORDS = (
    "a b_c SELECT FROM t TYPE type TOKEN NODE NODE n SQL > > x # -- SCHEMA DESCRIPTION ENGINE , ( ) 'it' \"q\" '#' `c` "
    "% {{x}} {% if a %} {% end %} INCLUDE * @ ñ 😀 READ endpoint TYPE endpoint 1 = 0 * * * $A ${B} s3://b/x#y"
).split(" ")
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)


def one_line(text: str) -> str:
    """Make a value as a file can hold it in one line."""
    return " ".join(text.split())


values = words.map(one_line)


@st.composite
def blocks(draw: Any, *, comments: bool = True) -> str:
    """Draw a text of several lines, indented in any way, with blank lines inside."""
    lines = draw(st.lists(st.tuples(st.sampled_from(["", "", "  ", "\t"]), words), min_size=1, max_size=5))
    gaps = draw(st.lists(st.sampled_from(["\n", "\n\n"]), min_size=5, max_size=5))
    first = lines[0][1]
    return first + "".join(gap + indent + line for gap, (indent, line) in zip(gaps, lines[1:], strict=False))


columns = st.lists(
    st.builds(
        Column,
        name=names | st.sampled_from(["type", "TOKEN", "SCHEMA", "engine", "a b"]),
        type=st.sampled_from(["String", "Int32", "DateTime64(3, 'UTC')", "Array(String)", "Map(String, Int8)"]),
        jsonpath=st.sampled_from([None, "$.a", "$.a[:]", "$.['a.b']"]),
        default=st.sampled_from([None, "DEFAULT now()", "DEFAULT 'x, # y'", "MATERIALIZED toDate(a)"]),
        codec=st.sampled_from([None, "CODEC(ZSTD(1))"]),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda column: column.name,
)
tokens = st.lists(
    st.builds(
        TokenLine,
        name=st.text(string.ascii_letters + " _-", min_size=1, max_size=9).map(str.strip).filter(bool),
        scope=st.sampled_from(["READ", "APPEND"]),
        filter=st.sampled_from(["", "a > 1", "a = 'x' AND b IN (1, 2)"]),
    ),
    max_size=3,
)
tags = st.lists(names, max_size=3, unique=True).map(tuple)


def options(prefix: str, kind: str, *others: str) -> Any:
    """Draw settings whose keywords begin with *prefix*."""
    keys = [key.lower() for key in sorted(KEYWORDS[kind]) if key.startswith(prefix)]
    return st.dictionaries(st.sampled_from([*keys, *others]), values, max_size=4)


datasources = st.builds(
    lambda columns, **fields: DatasourceFile(
        "t", columns=tuple(columns), schema=print_schema(columns), file="t.datasource", **fields
    ),
    columns=columns,
    engine=options("ENGINE", "datasource"),
    indexes=st.sampled_from(["", "i a TYPE minmax GRANULARITY 1\nj (a, b) TYPE set(3) GRANULARITY 4"]),
    description=st.just("") | blocks(),
    version=st.none() | st.integers(0, 99),
    tokens=tokens.map(tuple),
    tags=tags,
    shared_with=tags,
    forward_query=st.just("") | blocks(),
    settings=options("KAFKA", "datasource", "import_schedule", "import_bucket_uri"),
)
nodes = st.lists(
    st.builds(
        NodeFile,
        name=names,
        sql=blocks(),
        description=st.just("") | blocks(),
        type=st.sampled_from(["standard", "endpoint", "sink"]),
        settings=options("EXPORT", "pipe", "mode").map(
            lambda settings: {key: "append" if key == "mode" else value for key, value in settings.items()}
        ),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda node: node.name,
)
pipes = st.builds(
    lambda nodes, **fields: PipeFile("p", tuple(nodes), file="p.pipe", **fields),
    nodes=nodes,
    description=st.just("") | blocks(),
    version=st.none() | st.integers(0, 99),
    tokens=tokens.map(tuple),
    tags=tags,
)


class TestRoundTrip:
    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(datasources)
    def test_datasources(self, file: DatasourceFile) -> None:
        """A printed Data Source is read back as the same one, and so is the API's form of it."""
        for quoted in (False, True):
            text = datasource_text(file, quoted=quoted)
            assert parse_datafile(text, "t.datasource") == file, text

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(pipes)
    def test_pipes(self, file: PipeFile) -> None:
        """A printed Pipe is read back as the same one."""
        text = pipe_text(file)
        assert parse_datafile(text, "p.pipe") == file, text

    @settings(max_examples=100, deadline=None)
    @given(options("KAFKA", "connection"), st.just("") | blocks())
    def test_connections(self, found: dict[str, str], description: str) -> None:
        """A printed connection is read back as the same one."""
        file = ConnectionFile("k", "kafka", found, description)
        text = connection_text(file)
        assert parse_datafile(text, "k.connection") == file, text

    def test_projects(self) -> None:
        """Every datafile of the projects that are kept for tests is read, printed, and read again as the same."""
        printers = {DatasourceFile: datasource_text, PipeFile: pipe_text, ConnectionFile: connection_text}
        includes = {str(path.relative_to(PROJECTS)): path.read_text() for path in PROJECTS.rglob("*.incl")}
        paths = [path for path in sorted(PROJECTS.rglob("*.*")) if path.suffix[1:] in KEYWORDS]
        assert len(paths) > 50
        for path in paths:
            name = str(path.relative_to(PROJECTS))
            parsed = parse_datafile(path.read_bytes().decode(), name, includes=includes)
            assert parse_datafile(printers[type(parsed)](parsed), name) == parsed, name  # type: ignore[operator]


class TestForm:
    def test_datasource(self) -> None:
        """The form is the one of the vendor's formatters."""
        file = DatasourceFile(
            "t",
            columns=(Column("a", "Int32", jsonpath="$.a"), Column("b", "String", default="DEFAULT ''")),
            engine={"engine": "MergeTree", "engine_ttl": "a + toIntervalDay(1)", "engine_sorting_key": "a, b"},
            indexes="i a TYPE minmax GRANULARITY 1",
            description="One\n\nTwo",
            version=2,
            tokens=(TokenLine("r", "READ"), TokenLine("w", "APPEND")),
            tags=("x", "y"),
            shared_with=("other", "third"),
            settings={"kafka_topic": "t", "kafka_group_id": "# g"},
        )
        assert datasource_text(file) == (
            'VERSION 2\n\nDESCRIPTION >\n    One\n\n    Two\n\nTOKEN "r" READ\nTOKEN "w" APPEND\n\nTAGS "x, y"\n\n'
            "SCHEMA >\n    `a` Int32 `json:$.a`,\n    `b` String DEFAULT ''\n\n"
            "INDEXES >\n    i a TYPE minmax GRANULARITY 1\n\n"
            "ENGINE MergeTree\nENGINE_SORTING_KEY a, b\nENGINE_TTL a + toIntervalDay(1)\n\n"
            'KAFKA_TOPIC t\nKAFKA_GROUP_ID "# g"\n\nSHARED_WITH >\n    other,\n    third\n'
        )
        quoted = datasource_text(file, quoted=True)
        assert 'ENGINE "MergeTree"\nENGINE_TTL "a + toIntervalDay(1)"\nENGINE_SORTING_KEY "a, b"\n\nINDEXES >' in quoted

    def test_pipe(self) -> None:
        """A node has its description, its SQL and what its type needs."""
        file = PipeFile(
            "p",
            (
                NodeFile("one", "%\nSELECT 1\n  + 1", description="First"),
                NodeFile("two", "SELECT 2", type="endpoint"),
                NodeFile(
                    "three",
                    "SELECT 3",
                    type="copy",
                    settings={"mode": "append", "copy_schedule": "0 * * * *", "target_datasource": "d"},
                ),
                NodeFile(
                    "four",
                    "SELECT 4",
                    type="materialized",
                    settings={"engine_sorting_key": "a", "engine": "MergeTree", "datasource": "d"},
                ),
            ),
            description="The Pipe",
            tokens=(TokenLine("r", "READ"),),
        )
        assert pipe_text(file) == (
            'DESCRIPTION >\n    The Pipe\n\nTOKEN "r" READ\n\n'
            "NODE one\nDESCRIPTION >\n    First\n\nSQL >\n    %\n    SELECT 1\n      + 1\n\n"
            "NODE two\nSQL >\n    SELECT 2\n\nTYPE ENDPOINT\n\n"
            "NODE three\nSQL >\n    SELECT 3\n\nTYPE COPY\nTARGET_DATASOURCE d\nCOPY_MODE append\n"
            "COPY_SCHEDULE 0 * * * *\n\n"
            "NODE four\nSQL >\n    SELECT 4\n\nTYPE MATERIALIZED\nDATASOURCE d\n"
            "ENGINE MergeTree\nENGINE_SORTING_KEY a\n"
        )

    @pytest.mark.parametrize("description", ["", "\n", "  \n "])
    def test_blank_description(self, description: str) -> None:
        """A description without words is not printed."""
        assert "DESCRIPTION" not in pipe_text(PipeFile("p", (NodeFile("n", "SELECT 1"),), description=description))
