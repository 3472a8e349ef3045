"""``%tinybird doctor --scan``: are there tokens in these files?"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tinymagic import profiles
from tinymagic.api.http.redaction import Secret
from tinymagic.errors import TinybirdError
from tinymagic.names import near_names
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.display import count_of, human_bytes, visible
from tinymagic.notebook.paths import path_of
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.token_search import Found, scrubbed, scrubbed_notebook, search_notebook, search_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from tinymagic.notebook.tinybird import Call
    from tinymagic.notebook.token_search import Redact

#: Folders of other programs.
_SKIPPED_FOLDERS = {".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".mypy_cache", ".ruff_cache"}
#: Files in which a token is at its place.
_SETTINGS = (".tinyb", ".env", ".env.local")
_LARGEST_FILE_BYTES = 50_000_000
#: Behind the name of a file as it was before its tokens were taken out.
_BACKUP = ".with-token"


def scan(call: Call) -> pd.DataFrame:
    """Print what was found, and return one row for each place; with ``--fix``, take the tokens out after asking."""
    import pandas as pd

    start = path_of(call.options["scan"])
    if not start.exists():
        near = near_names(start.name, [each.name for each in start.parent.glob("*")])
        raise CellProblem(f"There is no file or folder {call.options['scan']!r}.", suggestions=tuple(near))
    own = _own_redactors(call)
    rows: list[tuple[object, ...]] = []
    number = 0
    dirty: list[Path] = []
    for path in _files(start):
        text = _text_of(path)
        if text is None:
            continue
        number += 1
        found = list(dict.fromkeys(_search(path, text, own)))
        settings = path.name in _SETTINGS
        rows += [(_shown(path, start), each.cell, each.line, each.place, each.what, settings) for each in found]
        if found and not settings:
            dirty.append(path)
    columns = ["file", "cell", "line", "place", "what", "settings file"]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=columns)
    frame["cell"] = frame["cell"].astype("Int64")
    print(visible(_sentence(number, frame)))
    if dirty and "fix" in call.options:
        _fix(dirty, start, own, yes="yes" in call.options)
    elif dirty:
        print("Add --fix to have them taken out; the files are kept as they were beside.")
    return frame


def _sentence(number: int, frame: pd.DataFrame) -> str:
    files = count_of(number, "file")
    if frame.empty:
        return f"No token found in {files}."
    dirty = frame[~frame["settings file"]]
    if dirty.empty:
        return f"{files} looked at: tokens are in settings files only. Keep those out of version control."
    where = count_of(int(dirty["file"].nunique()), "file")
    return (
        f"{count_of(len(dirty), 'place')} with a token in {where} ({files} looked at). Whoever has such a file has the "
        "token: refresh it (%tinybird token refresh NAME), also when the file is mended."
    )


def _own_redactors(call: Call) -> list[Redact]:
    """Return redactors of the tokens known here: the one in use, and those of the saved logins."""
    own: list[Redact] = []
    # Without a login, or with one that cannot be read, tokens are still known by their looks.
    with contextlib.suppress(TinybirdError):
        own.append(call.workspace.redact)
    with contextlib.suppress(TinybirdError):
        own += [Secret(profiles.load_profile(each.name).token).redact for each in profiles.list_profiles()]
    return own


def _files(start: Path) -> Iterator[Path]:
    if start.is_file():
        yield start
        return
    for folder, folders, names in os.walk(start):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS)
        for name in sorted(names):
            if not name.endswith(_BACKUP):
                yield Path(folder) / name


def _text_of(path: Path) -> str | None:
    """Return the text of a file; ``None`` for what is none, and for what cannot be read, which is said."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            return None
        if size > _LARGEST_FILE_BYTES:
            print(visible(f"{path} was not looked at: it has {human_bytes(size)}."))
            return None
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return None
    except OSError as error:
        print(visible(f"{path} was not looked at: {error.strerror}."))
        return None


def _search(path: Path, text: str, own: list[Redact]) -> Iterator[Found]:
    if path.suffix == ".ipynb":
        try:
            yield from search_notebook(json.loads(text), own)
            return
        except (ValueError, RecursionError):
            pass  # Damaged: as a text it can still be searched.
    yield from search_text(text, own)


def _shown(path: Path, start: Path) -> str:
    return visible(str(path.relative_to(start)) if path != start else path.name)


# --- taking them out --------------------------------------------------------------------------------------------------


def _fix(paths: list[Path], start: Path, own: list[Redact], *, yes: bool) -> None:
    names = ", ".join(_shown(path, start) for path in paths[:5]) + (" ..." if len(paths) > 5 else "")
    question = f"Take the tokens out of {count_of(len(paths), 'file')} ({names})?"
    if not confirm(question, yes=yes, otherwise="Nothing was changed."):
        return
    for path in paths:
        backup = path.with_name(path.name + _BACKUP)
        _replace(path, backup, _clean(path, own))
        print(visible(f"{_shown(path, start)} is mended. As it was, token and all: {backup.name}; delete it soon."))
    print("A notebook that is open still shows the old text: reload it from the disk, and do not save it before.")


def _clean(path: Path, own: list[Redact]) -> str:
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        try:
            return scrubbed_notebook(json.loads(text), own)
        except (ValueError, RecursionError):
            pass
    return scrubbed(text, own)


def _replace(path: Path, backup: Path, text: str) -> None:
    """Put *text* in the place of a file as a whole; the file as it was becomes *backup*, for its owner only.

    Raises:
        CellProblem: there is a backup already, or the folder cannot be written; nothing was changed.
    """
    if backup.exists():
        raise CellProblem(f"{backup} is there already: look at it and move it away first.")
    new = path.with_name(f".{path.name}.new")
    try:
        mode = path.stat().st_mode & 0o777
        new.write_text(text, "utf-8")
        new.chmod(mode)
        os.link(path, backup)
        backup.chmod(0o600)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise CellProblem(f"{path} cannot be changed: {error.strerror}.") from None
