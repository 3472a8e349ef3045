"""The types that a user sees are the ones that are promised."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_a_users_code_type_checks():
    api = pytest.importorskip("mypy.api")
    out, _, status = api.run(
        [
            "--config-file",
            str(ROOT / "pyproject.toml"),
            "--follow-imports=silent",
            str(ROOT / "tests" / "typing" / "consumer.py"),
        ]
    )
    assert status == 0, out
