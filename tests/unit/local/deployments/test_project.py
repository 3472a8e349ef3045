"""Projects as files, before any engine sees them."""

from __future__ import annotations

import pytest

from tinymagic.local.deployments.fingerprint import of_file
from tinymagic.local.deployments.problems import ProjectInvalid
from tinymagic.local.deployments.project import MOST_FILES, columns_of, read_project, targets_of

TABLE = "SCHEMA >\n    `a` Int32\n"
PIPE = "NODE n\nSQL >\n    SELECT 1 AS a\n"


def test_kinds() -> None:
    """The ending says what a file is; files of other kinds are for INCLUDE lines."""
    project = read_project(
        [
            ("datasources/t.datasource", TABLE),
            ("endpoints/p.pipe", PIPE),
            ("connections/c.connection", "TYPE kafka\n"),
            ("README.md", "no datafile"),
        ]
    )
    assert not project.problems
    assert (set(project.datasources), set(project.pipes), set(project.connections)) == ({"t"}, {"p"}, {"c"})


def test_every_mistake_is_found() -> None:
    """What cannot be read is broken, the rest is there."""
    project = read_project(
        [
            ("good.datasource", TABLE),
            ("empty.datasource", ""),
            ("select.pipe", PIPE),
            ("a/twice.pipe", PIPE),
            ("b/twice.datasource", TABLE),
            ("odd name.pipe", PIPE),
        ]
    )
    assert {each.file for each in project.problems} == {
        "empty.datasource",
        "select.pipe",
        "b/twice.datasource",
        "odd name.pipe",
    }
    assert set(project.datasources) == {"good"}
    assert project.broken == {"empty", "select", "twice", "odd name"}


def test_too_many_files() -> None:
    """A project is bounded."""
    with pytest.raises(ProjectInvalid, match="at most"):
        read_project([(f"p{number}.pipe", PIPE) for number in range(MOST_FILES + 1)])


def test_implied_data_sources() -> None:
    """A materialized node makes its target when there is no file for it."""
    view = f"{PIPE}TYPE materialized\nDATASOURCE made\n"
    project = read_project([("v.pipe", view), ("w.pipe", view)])
    assert project.implied == {"made": "v"}
    assert targets_of(project.pipes["v"]) == {"made": 1}
    assert not read_project([("v.pipe", view), ("made.datasource", TABLE)]).implied


def test_columns_of_kafka() -> None:
    """What comes from Kafka has the message's own columns too."""
    text = f"{TABLE}\nKAFKA_CONNECTION_NAME c\nKAFKA_TOPIC t\nKAFKA_GROUP_ID g\n"
    [file] = read_project([("t.datasource", text)]).datasources.values()
    names = [column.name for column in columns_of(file)]
    assert names[0] == "a"
    assert {"__topic", "__offset", "__timestamp", "__value"} <= set(names)


def test_digests_are_about_what_a_file_says() -> None:
    """Blanks, comments and places do not matter; everything else does."""

    def digest(text: str) -> str:
        [file] = read_project([("t.datasource", text)]).datasources.values()
        return of_file(file)

    assert digest(TABLE) == digest(f"# a comment\n\n{TABLE}\n\n")
    assert digest(TABLE) != digest(TABLE.replace("Int32", "Int64"))
    assert digest(TABLE) != digest(f"{TABLE}\nENGINE MergeTree\n")
