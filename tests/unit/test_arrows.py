"""Who may import whom: the arrows of CONTRIBUTING.md, read from the source of every module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "tinymagic"

#: Modules that know no I/O; everybody may use them, and they use each other only.
PURE = {"names", "regions", "sqltext", "version"}

#: Part of the package -> parts that it may import. `local` as a target means its launcher, see `DOOR`.
MAY_IMPORT = {
    "names": set(),
    "regions": set(),
    "sqltext": set(),
    "version": set(),
    "errors": {"api"},
    "profiles": {*PURE, "api", "errors"},
    "settings": {*PURE, "api", "errors", "profiles"},
    "client": {*PURE, "api", "errors", "settings", "local"},
    # The client and the server each read datafiles in their own way: each is a witness for the other.
    "datafiles": {"names", "sqltext"},
    "api": {*PURE, "datafiles", "frames"},
    "frames": {"names", "regions"},
    "notebook": {*PURE, "api", "client", "datafiles", "errors", "frames", "profiles", "settings", "local", "widgets"},
    "widgets": {*PURE, "api", "client", "errors", "frames", "profiles", "settings", "notebook", "local"},
    "local": PURE,
    "cli": {"version", "local", "demo"},
    "demo": {"local"},
    "__init__": {*PURE, "api", "client", "errors", "notebook"},
}

#: The one door into `local`: its package, which re-exports the launcher.
DOOR = {"tinymagic.local", "tinymagic.local.launch"}

#: What the launcher offers.
LAUNCHER = ("LaunchError", "LocalServer", "find", "run_foreground", "running", "start", "stop")

#: Part -> packages that it must not import anywhere, not even inside a function.
NEVER = {
    "names": {"requests", "pandas", "IPython", "ipywidgets", "chdb", "starlette"},
    "datafiles": {"requests", "pandas", "IPython", "ipywidgets", "chdb", "starlette"},
    "api": {"IPython", "ipywidgets", "chdb", "starlette"},
    "frames": {"requests", "urllib3", "IPython", "ipywidgets", "chdb", "starlette"},
    "notebook": {"requests", "urllib3", "chdb", "starlette"},
    "widgets": {"requests", "urllib3", "chdb", "starlette"},
    "local": {"requests", "pandas", "IPython", "ipywidgets"},
    "settings": {"requests", "pandas", "IPython", "ipywidgets", "chdb"},
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def part_of(module: Path) -> str:
    """Return the part of the package that a file belongs to: its folder, or its own name at the top."""
    first = module.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports_of(module: Path) -> set[str]:
    """Return the absolute names of everything that a file imports, at the top or inside a function."""
    package = ("tinymagic", *module.relative_to(PACKAGE).with_suffix("").parts)[:-1]
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join([*base, *((node.module or "").split(".") if node.module else [])])
            found |= {stem} | {f"{stem}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_arrows_hold(module):
    """A module imports only the parts that its own part may know."""
    part = part_of(module)
    allowed = MAY_IMPORT[part] | {part}
    tops = {path.stem if path.suffix else path.name for path in PACKAGE.iterdir() if path.stem != "__pycache__"}
    targets = {name.split(".")[1] for name in imports_of(module) if name.startswith("tinymagic.")}
    assert (targets & tops) - allowed == set()


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_heavy_and_foreign_packages_stay_out(module):
    """A part does not import what belongs to another part's trade."""
    forbidden = NEVER.get(part_of(module), set())
    assert {name.split(".")[0] for name in imports_of(module)} & forbidden == set()


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_local_has_one_door(module):
    """Outside `local`, only its launcher is imported."""
    if part_of(module) == "local":
        return
    inner = {name for name in imports_of(module) if name.startswith("tinymagic.local")}
    launcher = {f"tinymagic.local.{name}" for name in LAUNCHER}
    assert inner - DOOR - launcher == set()


@pytest.mark.parametrize("folder", ["api", "notebook"])
def test_pandas_and_requests_are_imported_on_use(folder):
    """Only inside functions, or for the type checker."""
    found = set()
    for module in (PACKAGE / folder).rglob("*.py"):
        for node in ast.parse(module.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").split(".")[0])
    assert found & {"pandas", "pyarrow", "numpy", "requests", "urllib3", "ipywidgets", "tqdm"} == set()


def test_only_the_engine_knows_chdb_and_only_the_catalog_sqlite():
    """One writer of truth for rows, and one for what exists."""
    users = {"chdb": set(), "sqlite3": set()}
    for module in MODULES:
        for name in imports_of(module):
            if name.split(".")[0] in users:
                users[name.split(".")[0]].add(module.relative_to(PACKAGE).as_posix())
    assert users["chdb"] == {"local/engine.py"}
    assert users["sqlite3"] == {"local/catalog.py"}


def test_pure_modules_import_the_standard_library_only():
    """Names, regions and SQL text need nothing."""
    import sys

    for name in PURE:
        tops = {imported.split(".")[0] for imported in imports_of(PACKAGE / f"{name}.py")}
        assert tops <= set(sys.stdlib_module_names) | {"__future__"}
