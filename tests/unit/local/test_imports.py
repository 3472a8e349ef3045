"""Replies of imports."""

from __future__ import annotations

import pytest

from tinymagic.local.ingest.imports import plain_reason

HEX = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("message", "plain"),
    [
        (f"Unknown identifier `n`. In scope SELECT * FROM w_{HEX}.t", "Unknown identifier `n`"),
        (f"Unknown identifier `n`: In scope SELECT n FROM `w_{HEX}`.`t`", "Unknown identifier `n`"),
        ("Cannot parse 'x' as Date: while executing 'FUNCTION toDate(x)'", "Cannot parse 'x' as Date"),
        (f"Table _tm_staging.load_{HEX} has no column b", "Table the Data Source has no column b"),
        (f"Table `_tm_staging`.`load_{HEX}_quarantine` is gone", "Table the Data Source is gone"),
        (f"Cannot attach to w_{HEX}.events", "Cannot attach to events"),
        (f"Cannot open /var/tmp/tinymagic-spool-ab12_x/{HEX}, errno 2", "Cannot open the file, errno 2"),
        ("Division 1/2 by 'a/b'", "Division 1/2 by 'a/b'"),
    ],
)
def test_plain_reason(message: str, plain: str) -> None:
    """Statements, staging tables, databases and paths of the server are taken out, the rest stays."""
    assert plain_reason(message) == plain
