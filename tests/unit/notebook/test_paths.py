"""Paths as a person writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinymagic.notebook.paths import path_of
from tinymagic.notebook.problems import CellProblem


def test_home():
    assert path_of("~/a b.sql") == Path.home() / "a b.sql"
    assert path_of("a/~b.sql") == Path("a/~b.sql")


def test_no_such_user():
    with pytest.raises(CellProblem, match="no such user"):
        path_of("~nobody_of_this_name/a.sql")
