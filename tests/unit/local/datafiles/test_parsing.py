"""Datafiles are read: what each kind of file says, in the spelling of both generations."""

from __future__ import annotations

import textwrap
import time

import pytest

from tinymagic.local.datafiles.model import (
    ConnectionFile,
    DatafileErrors,
    DatasourceFile,
    NodeFile,
    PipeFile,
    TokenLine,
)
from tinymagic.local.datafiles.parsing import name_and_kind, parse_datafile

SCHEMA = "SCHEMA >\n    `a` Int32 `json:$.a`\n"
NODE = "NODE n\nSQL >\n    SELECT 1\n"


def datasource(text: str, **arguments: object) -> DatasourceFile:
    """Parse a .datasource file."""
    found = parse_datafile(text, "datasources/t.datasource", **arguments)  # type: ignore[arg-type]
    assert isinstance(found, DatasourceFile)
    return found


def pipe(text: str, **arguments: object) -> PipeFile:
    """Parse a .pipe file."""
    found = parse_datafile(text, "pipes/p.pipe", **arguments)  # type: ignore[arg-type]
    assert isinstance(found, PipeFile)
    return found


def errors(text: str, file: str = "p.pipe", **arguments: object) -> list[tuple[int, str]]:
    """Return line and message of each error."""
    with pytest.raises(DatafileErrors) as caught:
        parse_datafile(text, file, **arguments)  # type: ignore[arg-type]
    return [(error.line, error.message) for error in caught.value.errors]


class TestKind:
    @pytest.mark.parametrize(
        ("file", "expected"),
        [
            ("a.pipe", ("a", "pipe")),
            ("x/y/events.v2.datasource", ("events.v2", "datasource")),
            ("connections\\k.connection", ("k", "connection")),
            ("a.sql", ("a", None)),
            (".pipe", ("", None)),
            ("pipe", ("", None)),
        ],
    )
    def test_name_and_kind(self, file: str, expected: tuple[str, str | None]) -> None:
        """The last part of the path gives name and kind."""
        assert name_and_kind(file) == expected

    def test_other_files(self) -> None:
        """A file with another ending is refused with its name."""
        assert errors("x", "notes.txt")[0][0] == 0


class TestDatasource:
    def test_everything(self) -> None:
        """A file with every part is read whole."""
        found = datasource(
            textwrap.dedent(
                """
                VERSION 3
                TOKEN "reader" READ
                TOKEN writer append

                TAGS "cold, hot"

                DESCRIPTION >
                    What it is
                      in two lines

                SCHEMA >
                    `at` DateTime `json:$.at` DEFAULT now() CODEC(DoubleDelta, ZSTD(1)),
                    -- a comment, with a comma
                    name LowCardinality(String) `json:$.n`, # another, comment
                    `tags` Array(String) `json:$.tags[:]` DEFAULT ['#', '--'],

                ENGINE "ReplacingMergeTree"
                ENGINE_PARTITION_KEY ""
                ENGINE_SORTING_KEY at, name
                ENGINE_TTL 'at + toIntervalDay(3)'
                ENGINE_VER >
                    at

                INDEXES >
                    INDEX by_name name TYPE bloom_filter(0.01) GRANULARITY 1,
                    two (at, name) TYPE minmax GRANULARITY 4

                SHARED_WITH >
                    one,
                    two

                FORWARD_QUERY >
                    SELECT *,
                        [] AS tags
                """
            )
        )
        assert (found.name, found.version, found.description) == ("t", 3, "What it is\n  in two lines")
        assert found.tokens == (TokenLine("reader", "READ"), TokenLine("writer", "APPEND"))
        assert found.tags == ("cold", "hot")
        assert [(column.name, column.type, column.jsonpath) for column in found.columns] == [
            ("at", "DateTime", "$.at"),
            ("name", "LowCardinality(String)", "$.n"),
            ("tags", "Array(String)", "$.tags[:]"),
        ]
        assert found.columns[2].default == "DEFAULT ['#', '--']"
        assert found.engine == {
            "engine": "ReplacingMergeTree",
            "engine_sorting_key": "at, name",
            "engine_ttl": "at + toIntervalDay(3)",
            "engine_ver": "at",
        }
        assert found.ttl == "at + toIntervalDay(3)"
        assert found.indexes == (
            "by_name name TYPE bloom_filter(0.01) GRANULARITY 1\ntwo (at, name) TYPE minmax GRANULARITY 4"
        )
        assert found.shared_with == ("one", "two")
        assert found.forward_query == "SELECT *,\n    [] AS tags"
        assert found.lines["schema"] == 12
        assert found.file == "datasources/t.datasource"

    def test_connector_settings(self) -> None:
        """Settings of connectors are kept as text, secrets among them; a file may have them in place of a schema."""
        found = datasource(
            'KAFKA_CONNECTION_NAME "my_kafka"\n'
            'KAFKA_TOPIC {{ tb_secret("TOPIC", "a # b") }} # the topic\n'
            "IMPORT_SCHEDULE '*/5 * * * *'\n"
            "IMPORT_BUCKET_URI s3://b/#x/*.csv\n"
            "IMPORT_QUERY >\n    select a\n    from b\n"
        )
        assert found.settings == {
            "kafka_connection_name": "my_kafka",
            "kafka_topic": '{{ tb_secret("TOPIC", "a # b") }}',
            "import_schedule": "*/5 * * * *",
            "import_bucket_uri": "s3://b/#x/*.csv",
            "import_query": "select a\nfrom b",
        }
        assert found.columns == ()

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ('DESCRIPTION "with quotes"', "with quotes"),
            ("DESCRIPTION bare > text", "bare > text"),
            ("DESCRIPTION > same line", "same line"),
            ("DESCRIPTION >\n\n\tone\n\n\ttwo\n", "one\n\ntwo"),
            ("DESCRIPTION >\nat the margin\nof the file\n", "at the margin\nof the file"),
            (
                "DESCRIPTION >\n    TYPE is a word\n    # Title\n    SCHEMA > as well",
                "TYPE is a word\n# Title\nSCHEMA > as well",
            ),
            ("DESCRIPTION", ""),
            ("description Small letters", "Small letters"),
            ("DESCRIPTION Issue #3, número ñ€", "Issue #3, número ñ€"),
        ],
    )
    def test_descriptions(self, line: str, expected: str) -> None:
        """A description is written in many ways."""
        assert datasource(f"{line}\n{SCHEMA}").description == expected

    @pytest.mark.parametrize(
        "schema",
        [
            "SCHEMA >\n    a Int32,\n    b String\n",
            "SCHEMA >\n\ta Int32,\n\tb String,\n",
            "SCHEMA >\na Int32,\nb String\n",
            "SCHEMA a Int32, b String\n",
            "SCHEMA > a Int32,\n    b String\n",
            "SCHEMA>\n    `a` Int32,\n\n    -- c,\n\n    `b` String -- d, e\n",
            "# c\n-- d\n    # e\nSCHEMA >\n# c\n    a Int32, # c\n    # d,\n    b String\n# e\n",
            "  SCHEMA >\n      a Int32,\n      b String\n  ENGINE MergeTree\n",
            "\ufeffSCHEMA >\r\n    a Int32,\r\n    b String\r\n",
            "schema >\n    a Int32,\n    b String\n",
        ],
    )
    def test_schemas(self, schema: str) -> None:
        """A schema is written in many ways."""
        found = datasource(schema)
        assert [(column.name, column.type) for column in found.columns] == [("a", "Int32"), ("b", "String")]
        assert found.schema == "`a` Int32, `b` String"

    @pytest.mark.parametrize("indent", ["    ", "\t", ""])
    def test_columns_named_like_keywords(self, indent: str) -> None:
        """Columns may be named like keywords, also at the margin."""
        names = ["type", "token", "description", "engine", "source", "tags", "version"]
        text = "SCHEMA >\n" + ",\n".join(f"{indent}{name} String" for name in names) + "\n\nENGINE MergeTree\n"
        found = datasource(text)
        assert [column.name for column in found.columns] == names
        assert found.engine == {"engine": "MergeTree"}

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ('ENGINE_SORTING_KEY "a"', "a"),
            ("ENGINE_SORTING_KEY a > 1", "a > 1"),
            ('ENGINE_SORTING_KEY "a", "b"', '"a", "b"'),
            ("ENGINE_SORTING_KEY \"JSONExtractString(a, 'x')\" # c", "JSONExtractString(a, 'x')"),
            ('ENGINE_SORTING_KEY "concat("a","b")"', 'concat("a","b")'),
            ("ENGINE_SORTING_KEY >\n    a,\n    b", "a, b"),
            ("engine_sorting_key tuple()", "tuple()"),
            ("SORTING_KEY a", "a"),
        ],
    )
    def test_engine_options(self, line: str, expected: str) -> None:
        """Quotes around an option are taken off, quotes of names stay."""
        assert datasource(f"{SCHEMA}\nENGINE MergeTree\n{line}\n").engine["engine_sorting_key"] == expected

    def test_indexes_in_an_old_schema(self) -> None:
        """INDEX lines of a schema are among the indexes."""
        found = datasource("SCHEMA >\n    a Int32,\n    INDEX i (a, a) TYPE set(10) GRANULARITY 1\n")
        assert found.indexes == "i (a, a) TYPE set(10) GRANULARITY 1"
        assert [column.name for column in found.columns] == ["a"]

    def test_row_filter(self) -> None:
        """A token of Classic may have a row filter."""
        text = f'TOKEN "t" READ where a > 1\nTOKEN u READ "a = 2"\n{SCHEMA}'
        assert [token.filter for token in datasource(text).tokens] == ["a > 1", "a = 2"]

    def test_rare_keywords(self) -> None:
        """Keywords of old projects are kept as settings; of one that is there twice the last counts."""
        found = datasource(f"MAINTAINER me\nSOURCE /x/y.csv\nDESCRIPTION a\nDESCRIPTION b\n{SCHEMA}")
        assert found.settings == {"maintainer": "me", "source": "/x/y.csv"}
        assert found.description == "b"

    @pytest.mark.parametrize(
        ("text", "line", "word"),
        [
            (f"DESCRIPTON x\n{SCHEMA}", 1, "Did you mean DESCRIPTION?"),
            (f"{SCHEMA}\nENGIN MergeTree\n", 4, "Did you mean ENGINE?"),
            (f"{SCHEMA}\nIMPORT_FOO x\n", 4, "IMPORT_FOO is not a valid option in datasource files."),
            (f"{SCHEMA}\nSQL >\n    SELECT 1\n", 4, "SQL is not a valid option in datasource files."),
            (f"SETTINGS a=1\n{SCHEMA}", 1, "use ENGINE_SETTINGS instead"),
            (f"{SCHEMA}\nENGINE\n", 4, "ENGINE has no value"),
            (f"TOKEN t\n{SCHEMA}", 1, "TOKEN takes two params"),
            (f"TOKEN t WRITE\n{SCHEMA}", 1, "Invalid permission: WRITE. Only READ and APPEND are supported"),
            (f"VERSION x\n{SCHEMA}", 1, "VERSION must be a positive integer"),
            ("SCHEMA >\n    a Int32,\n    `b String\n", 3, "the quote ` is not closed"),
            ("SCHEMA >\n    a Int32 NULL\n", 2, "Nullable(Type)"),
            ("# x\nSCHEMA >\n\n    # c\n    a Int32,\n    a Int8\n", 6, "is there twice"),
            ("SCHEMA >\n\nENGINE MergeTree\n", 1, "no columns"),
            (f"{SCHEMA}\nINDEXES >\n    i a TYPE minmax GRANULARITY 1\n    j\n", 6, "invalid INDEX format: j"),
            ("DESCRIPTION x\n", 0, "SCHEMA is mandatory"),
            ("", 0, "SCHEMA is mandatory"),
        ],
    )
    def test_errors(self, text: str, line: int, word: str) -> None:
        """What is wrong is told in a sentence, with its line."""
        [(found, message)] = errors(text, "t.datasource")
        assert found == line
        assert word in message


class TestPipe:
    def test_everything(self) -> None:
        """A Pipe with nodes of several types is read whole."""
        found = pipe(
            textwrap.dedent(
                """\
                VERSION 1
                DESCRIPTION >
                    The Pipe

                TOKEN "reader" READ
                TAGS "a, b"

                NODE raw
                DESCRIPTION >
                    The node
                SQL >
                    %
                    SELECT *, '# no comment'  -- a comment
                    # another

                    FROM events
                    {% if defined(day) %}
                        WHERE day = {{Date(day)}}
                    {% end %}

                # a comment between nodes

                NODE stored
                SQL >
                    SELECT 1
                TYPE Materialized
                DATASOURCE target
                ENGINE "MergeTree"
                ENGINE_SORTING_KEY "a"

                NODE copied
                TYPE COPY
                TARGET_DATASOURCE "other"
                COPY_SCHEDULE 0 * * * * # hourly
                COPY_MODE REPLACE
                SQL >
                    SELECT 2
                """
            )
        )
        assert (found.name, found.version, found.description) == ("p", 1, "The Pipe")
        assert found.tokens == (TokenLine("reader", "READ"),)
        assert found.tags == ("a", "b")
        raw, stored, copied = found.nodes
        assert raw.sql == (
            "%\nSELECT *, '# no comment'  -- a comment\n# another\n\nFROM events\n"
            "{% if defined(day) %}\n    WHERE day = {{Date(day)}}\n{% end %}"
        )
        assert (raw.description, raw.type, raw.line, raw.sql_line) == ("The node", "standard", 8, 12)
        assert stored == NodeFile(
            "stored",
            "SELECT 1",
            type="materialized",
            settings={"datasource": "target", "engine": "MergeTree", "engine_sorting_key": "a"},
        )
        assert copied == NodeFile(
            "copied",
            "SELECT 2",
            type="copy",
            settings={"target_datasource": "other", "copy_schedule": "0 * * * *", "mode": "replace"},
        )
        assert found.output_node == stored

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("SQL >\n    SELECT 1\n    FROM t\n", "SELECT 1\nFROM t"),
            ("SQL >\nSELECT 1\nFROM t\n", "SELECT 1\nFROM t"),
            ("SQL >\n\tSELECT 1\n\t\tFROM t\n", "SELECT 1\n\tFROM t"),
            ("SQL >\n        SELECT 1\n    FROM t\n", "    SELECT 1\nFROM t"),
            ("SQL >\n\tSELECT 1\n    FROM t\n", "\tSELECT 1\n    FROM t"),
            ("SQL SELECT 1 WHERE 2 > 1\n", "SELECT 1 WHERE 2 > 1"),
            ("SQL > SELECT 1\n    FROM t\n", "SELECT 1\nFROM t"),
            ("SQL >\n\n\n    SELECT 1\n\n\n", "SELECT 1"),
            ("SQL >\n%\nSELECT 1", "%\nSELECT 1"),
            ("SQL >\n    SELECT (\n1\n)\n", "    SELECT (\n1\n)"),
            ("SQL >\n    SELECT 1,\n# out\n    2\n", "SELECT 1,\n\n2"),
            ("SQL >\n    SELECT 1,\n-- in\n    2\n", "    SELECT 1,\n-- in\n    2"),
            ("SQL >\n    SELECT\n    TYPE,\n    TOKEN,\n    NODE b\n", "SELECT\nTYPE,\nTOKEN,\nNODE b"),
            (
                "SQL >\nSELECT\ntype,\ntoken,\nengine x,\nsource\nFROM t\n",
                "SELECT\ntype,\ntoken,\nengine x,\nsource\nFROM t",
            ),
            ("SQL >\nSELECT\nTYPE,\nTOKEN\nFROM t\n", "SELECT\nTYPE,\nTOKEN\nFROM t"),
            ("sql >\n    SELECT 'ñ€😀'\n", "SELECT 'ñ€😀'"),
        ],
    )
    def test_sql(self, text: str, expected: str) -> None:
        """SQL is kept as it was written, without the indentation that its lines share; the type after it counts."""
        assert pipe(f"NODE n\n{text}").nodes == (NodeFile("n", expected),)
        after = pipe(f"NODE n\n{text}\nTYPE endpoint\n\nNODE m\nSQL >\n    SELECT 2\n")
        assert after.nodes == (NodeFile("n", expected, type="endpoint"), NodeFile("m", "SELECT 2"))
        small = pipe(f"node n\n{text}\ntype endpoint\n\nnode m\nsql >\n    SELECT 2\n")
        assert small.nodes == after.nodes

    @pytest.mark.parametrize(
        "line",
        ["TYPE endpoint", "TYPE ENDPOINT", "type endpoint", 'TYPE "endpoint"', "TYPE   endpoint  # x", "Type Endpoint"],
    )
    def test_types(self, line: str) -> None:
        """The type stands before or after the SQL, in capitals or not."""
        for text in (f"{NODE}{line}\n", f"{NODE}\n\n{line}\n\n\n# end", f"NODE n\n{line}\nSQL >\n    SELECT 1\n"):
            assert pipe(text).nodes[0].type == "endpoint"

    def test_settings_after_sql_at_the_margin(self) -> None:
        """What a node needs is found after SQL without indentation, whatever the values look like."""
        found = pipe(
            "DESCRIPTION >\nInclude all of it\nToken usage\n\n"
            "NODE n\nSQL >\nSELECT 1\nTYPE materialized\nDATASOURCE d\n"
            "ENGINE MergeTree\nENGINE_PARTITION_KEY\nENGINE_SORTING_KEY (a, b)\n\n"
            "NODE m\nSQL >\nSELECT 2\nTYPE copy\nTARGET_DATASOURCE d\nCOPY_SCHEDULE */5 * * * *\n"
        )
        assert found.description == "Include all of it\nToken usage"
        assert [node.sql for node in found.nodes] == ["SELECT 1", "SELECT 2"]
        engine = {"engine": "MergeTree", "engine_sorting_key": "(a, b)"}
        assert found.nodes[0].settings == {"datasource": "d", **engine}
        assert found.nodes[1].settings == {"target_datasource": "d", "copy_schedule": "*/5 * * * *"}

    def test_sink(self) -> None:
        """The settings of a sink are kept under their names."""
        found = pipe(
            f"{NODE}TYPE sink\nEXPORT_CONNECTION_NAME c\nEXPORT_BUCKET_URI s3://b\nEXPORT_FILE_TEMPLATE f_{{n}}\n"
            "EXPORT_SCHEDULE @on-demand\nEXPORT_FORMAT csv\n"
        )
        assert found.nodes[0].settings == {
            "export_connection_name": "c",
            "export_bucket_uri": "s3://b",
            "export_file_template": "f_{n}",
            "export_schedule": "@on-demand",
            "export_format": "csv",
        }

    def test_sql_without_nodes(self) -> None:
        """SQL without a NODE line makes nodes with automatic names."""
        found = pipe("DESCRIPTION d\nTYPE endpoint\nSQL >\n    SELECT 1\n")
        assert (found.description, found.nodes) == ("d", (NodeFile("p_0", "SELECT 1", type="endpoint"),))
        found = pipe("SQL >\n    SELECT 1\n\nSQL >\n    SELECT 2\nTYPE endpoint\n")
        assert found.nodes == (NodeFile("p_0", "SELECT 1"), NodeFile("p_1", "SELECT 2", type="endpoint"))

    def test_target_of_a_view(self) -> None:
        """TARGET_DATASOURCE of a materialized node is its Data Source."""
        assert pipe(f"{NODE}TYPE materialized\nTARGET_DATASOURCE d\n").nodes[0].settings == {"datasource": "d"}

    def test_several_errors(self) -> None:
        """All that is wrong in a file is told at once, in the order of the lines."""
        text = "FOO x\nNODE n\nSQLL >\n    SELECT 1\nTYPE endpoint\n\nNODE m\nSQL >\n    SELECT 1\n"
        text += "TYPE foo\nEXPORT_FOO x\n"
        found = errors(text)
        assert [line for line, _ in found] == [1, 3, 10, 11]
        assert "Did you mean SQL?" in found[1][1]
        with pytest.raises(DatafileErrors, match=r"(?m)^p\.pipe:3: SQLL is not a valid option in pipe files\."):
            parse_datafile(text, "p.pipe")

    @pytest.mark.parametrize(
        ("text", "line", "word"),
        [
            ("", 0, "no node"),
            ("NODE n\n", 1, "'n' has no SQL"),
            ("NODE n\nSQL >\n\nNODE m\nSQL >\n    SELECT 1\n", 2, "Missing sql query"),
            ("NODE\nSQL >\n    SELECT 1\n", 1, "NODE has no name"),
            ("NODE 1a\nSQL >\n    SELECT 1\n", 1, "'1a' is not a name"),
            (f"{NODE}\n{NODE}", 5, "two nodes with the name 'n'"),
            (f"{NODE}TYPE foo\n", 4, "Invalid node 'n' of type (foo)"),
            (f"{NODE}\nTYPE materialized\n", 1, "missing: ['datasource']"),
            (f"{NODE}TYPE copy\n", 1, "missing: ['target_datasource']"),
            (f"{NODE}TYPE copy\nTARGET_DATASOURCE d\nCOPY_MODE x\n", 6, "COPY node mode must be append or replace"),
            (f"TOKEN t FOO\n{NODE}", 1, "Invalid permission: FOO"),
            (f"SCHEMA >\n    a Int32\n{NODE}", 1, "SCHEMA is not a valid option in pipe files"),
            (f'INCLUDE "missing.incl"\n{NODE}', 1, "'missing.incl' is not there"),
            (f'INCLUDE "open\n{NODE}', 1, "INCLUDE cannot be read"),
        ],
    )
    def test_errors(self, text: str, line: int, word: str) -> None:
        """What is wrong is told in a sentence, with its line."""
        [(found, message)] = errors(text)
        assert found == line
        assert word in message


class TestIncludes:
    def test_variables(self) -> None:
        """The lines of an included file take the place of INCLUDE, with its values."""
        includes = {"includes/count.incl": "NODE $NAME\nSQL >\n    SELECT count() FROM ${TABLE} WHERE a = '$OTHER'\n"}
        text = 'INCLUDE "../includes/count.incl" "NAME=one" "TABLE=t"\n\nNODE m\nSQL >\n    SELECT 2\n'
        found = pipe(text, includes=includes)
        assert found.nodes == (
            NodeFile("one", "SELECT count() FROM t WHERE a = '$OTHER'"),
            NodeFile("m", "SELECT 2"),
        )

    def test_in_a_node_and_a_datasource(self) -> None:
        """A part of a node or of a Data Source may be included; paths are found from the project's folder too."""
        includes = {"x/sql.incl": "SQL >\n    SELECT 1\n", "kafka.incl": "KAFKA_TOPIC t\n"}
        assert pipe('NODE n\nINCLUDE "x/sql.incl"\nTYPE endpoint\n', includes=includes).nodes[0].sql == "SELECT 1"
        assert datasource(f'INCLUDE "kafka.incl"\n{SCHEMA}', includes=includes).settings == {"kafka_topic": "t"}

    def test_place_of_errors(self) -> None:
        """An error in an included file names that file."""
        with pytest.raises(DatafileErrors) as caught:
            pipe(f'INCLUDE "a.incl"\n{NODE}', includes={"a.incl": "\nFOO\n"})
        assert [(error.file, error.line) for error in caught.value.errors] == [("a.incl", 2)]

    def test_circles(self) -> None:
        """Files that include each other, and bombs of includes, are refused."""
        assert "too deep" in errors(f'INCLUDE "a"\n{NODE}', includes={"a": 'INCLUDE "a"\n'})[0][1]
        bomb = {f"i{n}": f'INCLUDE "i{n + 1}" "A=$A$A$A$A"\n' * 10 for n in range(9)} | {"i9": "# $A\n" * 1000}
        started = time.monotonic()
        assert any("too deep" in message for _, message in errors(f'INCLUDE "i0" "A=xxxxx"\n{NODE}', includes=bomb))
        assert time.monotonic() - started < 2


class TestConnection:
    def test_kafka(self) -> None:
        """Settings stay text, secrets unresolved; a certificate keeps its lines."""
        found = parse_datafile(
            'TYPE Kafka\nKAFKA_BOOTSTRAP_SERVERS {{ tb_secret("S", "localhost:9092") }}\n'
            "KAFKA_SSL_CA_PEM >\n    -----BEGIN CERTIFICATE-----\n    abc\n    -----END CERTIFICATE-----\n",
            "connections/k.connection",
        )
        assert found == ConnectionFile(
            "k",
            "kafka",
            {
                "kafka_bootstrap_servers": '{{ tb_secret("S", "localhost:9092") }}',
                "kafka_ssl_ca_pem": "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
            },
        )

    @pytest.mark.parametrize(
        ("text", "line", "word"),
        [
            ("TYPE foo\n", 1, "Invalid connection type: foo"),
            ("S3_REGION x\n", 0, "TYPE is mandatory"),
            ("TYPE s3\nS3_REGON x\n", 2, "Did you mean S3_REGION?"),
        ],
    )
    def test_errors(self, text: str, line: int, word: str) -> None:
        """What is wrong is told in a sentence, with its line."""
        [(found, message)] = errors(text, "k.connection")
        assert found == line
        assert word in message
