"""Writing files: never over another one without asking, and each file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from tinymagic.datafiles.places import kind_of, name_of
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.display import visible
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from pathlib import Path

    from tinymagic.api.refusals import Datafile


def write_datafile(folder: str, datafile: Datafile | None, *, yes: bool = False) -> bool:
    """Write a definition into a project folder, and say so; for ``--to FOLDER`` of commands that make something.

    A file of the folder that defines the resource already is taken for it, wherever it stands; when it differs, that
    is asked about first.

    Args:
        folder: of the project; made when it is not there.
        datafile: its place in the folder, and its text; ``None`` for a name that cannot be the name of a file.
        yes: whether the answer was given with ``--yes``.

    Returns:
        Whether the file says now what *datafile* says.

    Raises:
        CellProblem: there is no such file, nobody can be asked, or the file cannot be written.
    """
    if datafile is None:
        raise CellProblem("Nothing was written: that name cannot be the name of a file.")
    from tinymagic.notebook.project.folder import read_project

    project = read_project(folder, empty=True)
    there = project.path_of(kind_of(datafile.file) or "", name_of(datafile.file))
    path = project.folder / (there or datafile.file)
    shown = visible(os.path.relpath(path))
    if there is not None and project.files[there].written == datafile.text:
        print(f"{shown} says so already.")
        return True
    if there is not None and not confirm(f"{shown} says something else. Overwrite it?", yes=yes, otherwise=_KEPT):
        return False
    write_text(path, datafile.text)
    print(f"Wrote {shown}. To deploy it: %tinybird deploy {visible(str(folder))}")
    return True


_KEPT = "Nothing was written."


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8 in the place of what is there; after a failure that is still there.

    Raises:
        CellProblem: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        if path.exists():
            shutil.copymode(path, draft)
        draft.replace(path)
    except OSError as error:
        raise CellProblem(f"{str(path)!r} cannot be written: {error.strerror or error}.") from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
