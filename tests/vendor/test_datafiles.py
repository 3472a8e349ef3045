"""Datafiles of every odd kind: the vendor's programs and our parser accept the same and read the same in it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from tinymagic.local.datafiles.model import Datafile, DatafileErrors, DatasourceFile, PipeFile
from tinymagic.local.datafiles.parsing import parse_datafile
from tinymagic.local.datafiles.printing import datasource_text, pipe_text

pytestmark = pytest.mark.slow

SCHEMA = "SCHEMA >\n    `a` Int32 `json:$.a`\n"
NODE = "NODE n\nSQL >\n    SELECT 1\n"

#: Both programs accept these.
ACCEPTED = {
    "plain.datasource": SCHEMA,
    "inline.datasource": f"DESCRIPTION hello world\n{SCHEMA}",
    "margin.datasource": "DESCRIPTION >\nline one\nline two\n\nSCHEMA >\na Int32,\nb String\n\nENGINE MergeTree\n",
    "words.datasource": f"DESCRIPTION >\n    TYPE is good\n    SCHEMA > x\n    ENGINE x\n\n{SCHEMA}",
    "comments.datasource": "# hi\n    # there\nSCHEMA >\n    a Int32, -- x, y\n# z\n    -- z String,\n    b String\n",
    "quotes.datasource": f"{SCHEMA}\nENGINE \"MergeTree\" # x\nENGINE_SORTING_KEY 'a'\nENGINE_TTL toDate(a) + 1\n",
    "lines.datasource": 'SCHEMA >\n\ta Int32,\n\n\tb Int8\n\nENGINE "MergeTree"\nENGINE_SORTING_KEY >\n    a,\n    b\n',
    "small.datasource": "schema >\n    a Int32\n\nengine MergeTree\nengine_sorting_key a\n",
    "named.datasource": "SCHEMA >\n    type String,\n    TOKEN String,\n    description String,\n    engine String\n",
    "types.datasource": "SCHEMA >\n    `a` DateTime DEFAULT now() CODEC(DoubleDelta, ZSTD(1)),\n"
    "    `b` LowCardinality(String) `json:$.b` DEFAULT 'x, y',\n    `c` Array(String) `json:$.['c.d'][:]`,\n"
    "    `d` SimpleAggregateFunction(any, String)\n",
    "indexes.datasource": f"{SCHEMA}\nENGINE MergeTree\nENGINE_SORTING_KEY a\n\nINDEXES >\n"
    "    INDEX i a TYPE minmax GRANULARITY 1,\n    j a TYPE set(0) GRANULARITY 4\n",
    "tokens.datasource": f'TOKEN "my token" READ\nTOKEN u APPEND\nTAGS a, b\n{SCHEMA}',
    "shared.datasource": f"{SCHEMA}\nSHARED_WITH >\n    other,\n    third\n",
    "kafka.datasource": f'{SCHEMA}\nKAFKA_CONNECTION_NAME "my"\nKAFKA_TOPIC {{{{ tb_secret("T") }}}}\n'
    "KAFKA_GROUP_ID g # x\nKAFKA_AUTO_OFFSET_RESET earliest\nKAFKA_STORE_RAW_VALUE True\n",
    "windows.datasource": f"{SCHEMA}\nENGINE MergeTree\nENGINE_SORTING_KEY a\n".replace("\n", "\r\n"),
    "twice.datasource": f"DESCRIPTION a\nDESCRIPTION b\n{SCHEMA}{SCHEMA}ENGINE MergeTree\nENGINE MergeTree\n",
    "plain.pipe": NODE,
    "margin.pipe": "NODE n\nSQL >\nSELECT 1 as type\nFROM x\n\nNODE m\nSQL >\n%\nSELECT 2\n",
    "words.pipe": "NODE n\nSQL >\n    SELECT\n    TYPE,\n    TOKEN,\n    SCHEMA\n    FROM x\n\nTYPE endpoint\n",
    "comments.pipe": f"# hi\nNODE n\nSQL >\n    SELECT 1,\n# out\n    2\n\n# more\n{NODE.replace('n', 'm', 1)}# end\n",
    "template.pipe": "NODE n\nSQL >\n    %\n    SELECT 1\n{% if defined(x) %}\n    WHERE 1\n{% end %}\nTYPE ENDPOINT\n",
    "small.pipe": "node n\nsql >\n    SELECT 1\ntype endpoint # x\n",
    "before.pipe": 'NODE "n"\nTYPE "endpoint"\nDESCRIPTION node hi\nSQL >\n    SELECT 1\n',
    "description.pipe": "DESCRIPTION >\n    hi\n\nTOKEN t READ\n"
    "NODE n\nDESCRIPTION >\n    SQL is > nice\n    TYPE endpoint\nSQL >\n    SELECT 1\n",
    "tags.pipe": 'NODE n\nTAGS "a,b"\nSQL >\n\n    SELECT 1\n\n    FROM x\n\n\nNODE m and more\nSQL >\n    SELECT 2',
    "view.pipe": f"{NODE}TYPE MATERIALIZED\nDATASOURCE d\n",
    "copy.pipe": f'{NODE}TYPE copy\nTARGET_DATASOURCE "d"\nCOPY_SCHEDULE "0 * * * *"\nCOPY_MODE append\n',
    "mode.pipe": f"{NODE}TYPE copy\nTARGET_DATASOURCE d\nMODE append\nCOPY_SCHEDULE @on-demand\n",
    "sink.pipe": f"{NODE}TYPE sink\nEXPORT_CONNECTION_NAME c\nEXPORT_SCHEDULE @on-demand\nEXPORT_BUCKET_URI s3://b\n"
    "EXPORT_FILE_TEMPLATE f\nEXPORT_FORMAT csv\nEXPORT_STRATEGY @new\n",
}

#: Both programs refuse these.
REFUSED = {
    "unknown.datasource": f"DESCRIPTON bar\n{SCHEMA}",
    "semicolon.datasource": "SCHEMA >\n    a Int32;\n",
    "bare.pipe": f"{NODE}TYPE sink\nEXPORT_FOO x\n",
}

#: As they come from our printer, with nothing in them that the programs lay out in another way.
PRINTED = [name for name in ACCEPTED if name.split(".")[0] not in ("margin", "words", "comments", "template", "tags")]


def without_layout(parsed: Datafile) -> Datafile:
    """Leave out what the programs write in a way of their own: white space in SQL and the case of token scopes."""
    if isinstance(parsed, PipeFile):
        nodes = tuple(replace(node, sql=re.sub(r"\s+", "", node.sql)) for node in parsed.nodes)
        return replace(parsed, nodes=nodes)
    return parsed


def parse(name: str, text: str) -> Datafile:
    """Parse and leave the layout out."""
    return without_layout(parse_datafile(text, name))


def test_accepted_by_classic(tb_classic: Any) -> None:
    """Classic accepts all of them; what its formatter makes of a Data Source reads as the same one."""
    for name, text in ACCEPTED.items():
        tb_classic.write(name, text)
    output = tb_classic("check", *ACCEPTED)
    assert output.count("processed correctly") == len(ACCEPTED), output
    datasources = [name for name in ACCEPTED if name.endswith(".datasource")]
    tb_classic("fmt", "--yes", *datasources)
    for name in datasources:
        assert parse(name, tb_classic.read(name)) == parse(name, ACCEPTED[name]), name


def test_accepted_by_forward(tb_forward: Any) -> None:
    """Forward accepts all of them, and what its formatter makes of them reads as the same."""
    for name, text in ACCEPTED.items():
        tb_forward.write(name, text)
    tb_forward("fmt", "--yes", *ACCEPTED)
    for name, text in ACCEPTED.items():
        assert parse(name, tb_forward.read(name)) == parse(name, text), name


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tb_classic: Any, name: str) -> None:
    """What Classic refuses is refused."""
    tb_classic.write(name, REFUSED[name])
    assert "processed correctly" not in tb_classic("check", name, code=None)
    with pytest.raises(DatafileErrors):
        parse_datafile(REFUSED[name], name)


def test_printed(tb_forward: Any) -> None:
    """What we print is left unchanged by the formatter of Forward."""
    names = []
    for name in PRINTED:
        parsed = parse_datafile(ACCEPTED[name], name)
        text = ""
        if isinstance(parsed, DatasourceFile):
            text = datasource_text(replace(parsed, shared_with=()))
        elif isinstance(parsed, PipeFile):
            text = pipe_text(parsed)
        names.append(tb_forward.write(f"printed_{name}", text))
    tb_forward("fmt", "--diff", *names)
