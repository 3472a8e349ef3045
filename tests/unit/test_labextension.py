"""The extension of JupyterLab that is committed is the one that its source makes; nobody needs Node to know that."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "labextension"


def build_module():
    """labextension/build.py, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("labextension_build", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_what_is_built_is_up_to_date():
    module = build_module()
    text = json.dumps(json.loads(module.BUILT.read_text("utf-8")))
    assert module.source_hash() in text, "Run `make labextension` and commit what it builds."


def test_what_is_built_can_be_loaded():
    package = json.loads((FOLDER / "built" / "package.json").read_text("utf-8"))
    entry = FOLDER / "built" / package["jupyterlab"]["_build"]["load"]
    assert entry.is_file()
    assert package["name"] == json.loads((FOLDER / "package.json").read_text("utf-8"))["name"]
