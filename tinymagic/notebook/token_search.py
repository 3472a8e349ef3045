"""Finds tokens in notebooks and text files, and takes them out. It tells where they are, never what they are. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from tinymagic.api.http.redaction import HIDDEN

#: Takes the tokens that somebody knows, and pieces of them, out of a text.
Redact: TypeAlias = Callable[[str], str]

#: What tokens of anybody look like: (kind, pattern). The group is what stands in front of a token in the same run of
#: characters; each run is looked at once, however long it is.
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("static token", re.compile(r"()\bp\.[\w+/=-]{20,}\.[\w-]{8,}")),
    (
        "JWT",
        re.compile(r"(?<![\w-])(?=[\w-]+\.[\w-]{10,}\.[\w-]{8,})([\w-]*?)\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{8,}"),
    ),
)


@dataclass(frozen=True)
class Found:
    """A token in a file.

    Attributes:
        cell: number of the cell, the first is 1; ``None`` outside of cells.
        line: number of the line in the cell's source, in the output or in the file, the first is 1.
        place: ``source``, ``output``, ``metadata``, ``attachment``, ``widget state`` or ``text``.
        what: ``static token``, ``JWT``, or ``piece of an own token``.
    """

    cell: int | None
    line: int
    place: str
    what: str


def search_text(text: str, own: Sequence[Redact], *, cell: int | None = None, place: str = "text") -> Iterator[Found]:
    r"""Yield the tokens in a text, one for each line and kind.

    Args:
        text: any.
        own: of the tokens that are known here.
        cell: see `Found`.
        place: see `Found`.

    Example:
        >>> list(search_text("a\np.eyJ1IjogIjEiLCAiaWQiOiAiMiJ9.0123456789", []))
        [Found(cell=None, line=2, place='text', what='static token')]
    """
    lines = text.splitlines()
    kinds = [(what, pattern) for what, pattern in _KINDS if pattern.search(text)]
    # Most texts are clean, and a look at the whole is far quicker than one at each line. Between the marks no line goes
    # on in the next one, as it does not below.
    apart = ";\n;".join(lines)
    own = [redact for redact in own if _is_own(redact, apart)]
    if not own and not kinds:
        return
    for number, line in enumerate(lines, 1):
        rest = line
        for what, pattern in kinds:
            rest, count = pattern.subn(r"\1", rest)
            if count:
                yield Found(cell, number, place, what)
        if any(_is_own(redact, rest) for redact in own):
            yield Found(cell, number, place, "piece of an own token")


def _is_own(redact: Redact, text: str) -> bool:
    """Say whether a redactor takes more out than anybody's would: a form ``token=...`` alone is no token of ours."""
    from tinymagic.api.http.redaction import Secret

    return redact(text) != Secret("").redact(text)


def search_notebook(notebook: Any, own: Sequence[Redact]) -> Iterator[Found]:
    """Yield the tokens in a notebook.

    Args:
        notebook: its JSON, read.
        own: see `search_text`.
    """
    if not isinstance(notebook, dict):
        return
    cells = notebook.get("cells")
    for number, cell in enumerate(cells if isinstance(cells, list) else [], 1):
        if not isinstance(cell, dict):
            continue
        yield from search_text(_joined(cell.get("source")), own, cell=number, place="source")
        for key, place in (("outputs", "output"), ("metadata", "metadata"), ("attachments", "attachment")):
            for text in _texts(cell.get(key)):
                yield from search_text(text, own, cell=number, place=place)
    metadata = notebook.get("metadata")
    if isinstance(metadata, dict):
        for key, value in metadata.items():
            place = "widget state" if key == "widgets" else "metadata"
            for text in (*_texts(value), str(key)):
                yield from search_text(text, own, place=place)


def _joined(value: Any) -> str:
    """Return a text of a notebook, which is one text or a list of lines."""
    return "".join(str(each) for each in value) if isinstance(value, list) else str(value or "")


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts in a value of JSON; lists of lines as one text, names of members too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if value and all(isinstance(each, str) for each in value):
            yield "".join(value)
        else:
            for each in value:
                yield from _texts(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield str(name)
            yield from _texts(each)


def scrubbed(text: str, own: Sequence[Redact]) -> str:
    """Return a text without tokens.

    Example:
        >>> scrubbed("login p.eyJ1IjogIjEiLCAiaWQiOiAiMiJ9.0123456789", [])
        'login [hidden]'
    """
    for _, pattern in _KINDS:
        text = pattern.sub(rf"\1{HIDDEN}", text)
    for redact in own:
        if _is_own(redact, text):
            text = redact(text)
    return text


def scrubbed_notebook(notebook: Any, own: Sequence[Redact]) -> str:
    """Return a notebook as text without tokens, in the form in which notebooks are saved.

    Args:
        notebook: its JSON, read.
        own: see `search_text`.
    """
    return json.dumps(_scrubbed_value(notebook, own), indent=1, ensure_ascii=False) + "\n"


def _scrubbed_value(value: Any, own: Sequence[Redact]) -> Any:
    if isinstance(value, str):
        return scrubbed(value, own)
    if isinstance(value, list):
        if value and all(isinstance(each, str) for each in value):
            # A token may run over the end of a line of the list.
            whole = scrubbed("".join(value), own)
            return value if whole == "".join(value) else whole.splitlines(keepends=True)
        return [_scrubbed_value(each, own) for each in value]
    if isinstance(value, dict):
        return {scrubbed(str(name), own): _scrubbed_value(each, own) for name, each in value.items()}
    return value
