"""From the text of a datafile to its values.

`parse_datafile` is the door. Nothing here asks an engine or the workspace: whether SQL runs, a Data Source exists or an
engine has its options is found by who makes the resources. What a file says about itself is checked: keywords, the
schema's grammar, and settings that a node or a connector cannot do without.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from .connection_files import read_connection
from .datasource_files import read_datasource
from .keywords import CONNECTION, DATASOURCE, KEYWORDS, PIPE
from .model import Datafile, DatafileError, DatafileErrors
from .pipe_files import read_pipe
from .statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .statements import Statement

    _Reader = Callable[[str, str, Sequence[Statement], list[DatafileError]], Datafile]

_READERS: dict[str, _Reader] = {DATASOURCE: read_datasource, PIPE: read_pipe, CONNECTION: read_connection}
_NO_INCLUDES: dict[str, str] = {}


def parse_datafile(text: str, file: str, *, includes: Mapping[str, str] = _NO_INCLUDES) -> Datafile:
    r"""Read a datafile of Tinybird Classic or Forward.

    Args:
        text: of the file; any line ends, with or without a byte order mark.
        file: path in the project; the ending says what it is, the rest of the last part is the resource's name.
        includes: texts of the project's other files by path, for ``INCLUDE`` lines.

    Returns:
        `DatasourceFile` for ``.datasource``, `PipeFile` for ``.pipe``, `ConnectionFile` for ``.connection``.

    Raises:
        DatafileErrors: with everything that was found wrong.

    Example:
        >>> parse_datafile("SCHEMA >\n    a Int32", "datasources/t.datasource").columns[0].name
        'a'
    """
    name, kind = name_and_kind(file)
    if kind is None:
        message = "The file is no datafile: its name has to end in .datasource, .pipe or .connection."
        raise DatafileErrors([DatafileError(message, file=file)])
    statements, errors = read_statements(text, file, kind, includes)
    parsed = _READERS[kind](name, file, statements, errors)
    if errors:
        raise DatafileErrors(errors)
    return parsed


def name_and_kind(file: str) -> tuple[str, str | None]:
    """Return the name of the resource in a file, and ``datasource``, ``pipe``, ``connection`` or ``None``."""
    name, _, kind = posixpath.basename(file.replace("\\", "/")).rpartition(".")
    return name, kind if name and kind in KEYWORDS else None
