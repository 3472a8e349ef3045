"""Broken and hostile datafiles end in `DatafileErrors` or in a value, soon."""

from __future__ import annotations

import random
import time

import pytest

from tinymagic.local.datafiles.model import DatafileErrors
from tinymagic.local.datafiles.parsing import parse_datafile

KINDS = ("datasource", "pipe", "connection")

DATASOURCE = """TOKEN "r" READ
TAGS "a, b"
DESCRIPTION >
    What it is

SCHEMA >
    `a` Int32 `json:$.a` DEFAULT 'x, y', -- c
    b Array(String) `json:$.b[:]` CODEC(ZSTD(1)),
    INDEX i (a, b) TYPE minmax GRANULARITY 1

ENGINE "MergeTree"
ENGINE_SORTING_KEY >
    a,
    b
INDEXES >
    INDEX j (a,
        b) TYPE set(0) GRANULARITY 1
KAFKA_TOPIC {{ tb_secret("T", "#") }} # c
SHARED_WITH >
    one,
FORWARD_QUERY >
    SELECT a
"""
PIPE = """VERSION 1
TOKEN 'r x' READ where a = 1
INCLUDE "i.incl" "A=b"
NODE one
DESCRIPTION >
    First
SQL >
    %
    SELECT 'type', # c
type
    {% if defined(x) %}
{% end %}

NODE two
TYPE copy
TARGET_DATASOURCE t
COPY_SCHEDULE 0 * * * *
SQL SELECT 1
node three
sql >
SELECT 2
type endpoint
"""
CONNECTION = "TYPE kafka\nKAFKA_KEY >\n    ---\n    a\nS3_SECRET {{ tb_secret('a') }}\n"
INCLUDES = {"i.incl": "# $A\nTAGS x\n"}


def outcome(text: str, kind: str) -> bool:
    """Parse; tell whether the text was accepted. Any other error than `DatafileErrors` fails the test."""
    found: DatafileErrors | None = None
    try:
        parse_datafile(text, f"x/y.{kind}", includes=INCLUDES)
    except DatafileErrors as error:
        found = error
    if found is None:
        return True
    assert found.errors
    assert all(each.message and each.file for each in found.errors)
    assert [each.line for each in found.errors] == sorted(each.line for each in found.errors)
    return False


def test_samples_are_accepted() -> None:
    """What the next test breaks is whole."""
    assert outcome(DATASOURCE, "datasource")
    assert outcome(PIPE, "pipe")
    assert outcome("TYPE kafka\n", "connection")


@pytest.mark.parametrize("seed", range(8))
def test_cuts_and_merges(seed: int) -> None:
    """Random pieces of valid files, put together anyhow, raise nothing but `DatafileErrors`."""
    chance = random.Random(seed)
    samples = [DATASOURCE, PIPE, CONNECTION]
    odd = [
        "'",
        '"',
        "`",
        "(",
        ")",
        "[",
        "{{",
        "%}",
        ">",
        "#",
        "--",
        "\n",
        "\t",
        "\r",
        "\0",
        "\ufeff",
        "$A",
        ",",
        "\\",
        "\u2028",
    ]
    accepted = 0
    for _ in range(400):
        pieces = []
        for _ in range(chance.randint(1, 4)):
            sample = chance.choice(samples)
            start = chance.randint(0, len(sample))
            pieces.append(sample[start : chance.randint(start, len(sample))])
            if chance.random() < 0.5:
                pieces.append(chance.choice(odd) * chance.choice([1, 1, 1, 2, 50]))
        accepted += outcome("".join(pieces), chance.choice(KINDS))
    assert accepted < 400


LONG = 200_000


@pytest.mark.parametrize(
    "text",
    [
        "\n" * LONG,
        "SCHEMA >\n" + "\n" * LONG,
        "NODE n\nSQL >\n" + "\n" * LONG + "    SELECT 1",
        "NODE n\nSQL >\n" + " " * LONG + "SELECT 1",
        "NODE n\nSQL >\n" + "".join(f"{' ' * (n % 300)}a\n" for n in range(LONG // 100)),
        "NODE n\nSQL >\n    a\n" + "".join(f"ABC{n} x\n" for n in range(LONG // 10)),
        "".join(f"FOO{n} x\n" for n in range(LONG // 10)),
        "".join(f"FOO{n} x\nSQL a\n" for n in range(LONG // 20)),
        "".join(f"NODE n{n}\n" for n in range(LONG // 10)),
        "".join(f"NODE n{n}\nSQL >\n    SELECT {n}\n" for n in range(LONG // 20)),
        "NODE n\n" * (LONG // 10),
        "".join(f"TAGS a{n}\nTOKEN t{n} READ\n" for n in range(LONG // 20)),
        'INCLUDE "i.incl"\n' * (LONG // 20),
        'INCLUDE "missing"\n' * (LONG // 20),
        "SCHEMA >\n    a String DEFAULT " + "(" * LONG,
        "SCHEMA >\n    a String DEFAULT '" + "\\'" * LONG,
        "SCHEMA >\n    a String DEFAULT " + "'" * (LONG + 1),
        "SCHEMA >\n    INDEX" + " a" * LONG,
        "SCHEMA >\n" + ",\n".join(f"    c{n} String" for n in range(3000)),
        "SCHEMA >\n    a String\nINDEXES >\n" + "    i (\n" * (LONG // 10),
        "SCHEMA >\n    a String\nINDEXES >\n    i" + " " * LONG + "a TYPE",
        "ENGINE " + '"' * LONG,
        "ENGINE_TTL " + "{" * LONG + "#",
        "TOKEN " + '"' * LONG,
        "TOKEN a READ" + " " * LONG + "b",
        "D" * LONG,
        "DESCRIPTION >\n" + "#\n" * LONG,
        "SHARED_WITH >\n" + "    a,\n" * (LONG // 10),
        "$A" * LONG,
    ],
    ids=lambda text: text[:20].replace("\n", " ").strip(),
)
def test_long_files(text: str) -> None:
    """The time grows with the length of a file, not with its square."""
    for kind in KINDS[:2]:
        started = time.process_time()  # Other tests may be at work on this machine.
        outcome(text, kind)
        assert time.process_time() - started < 10


def test_speed() -> None:
    """A project of 300 files is read in well under a second."""
    started = time.process_time()
    for _ in range(150):
        outcome(DATASOURCE, "datasource")
        outcome(PIPE, "pipe")
    assert time.process_time() - started < 2
