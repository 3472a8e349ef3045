"""The pieces of HTML that all panels are made of, and their style sheet, ``style.css``. Pure.

Everything that comes from a Workspace or a file goes through `text`: it is data, never markup.
"""

from __future__ import annotations

import html
import unicodedata
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: The style sheet, once in each panel.
STYLE = (files("tinymagic.widgets") / "style.css").read_text("utf-8")


def text(value: object, *, most: int = 300) -> str:
    """Return anything as text that is safe inside HTML; control and direction signs are shown, long texts are cut."""
    shown = "" if value is None else str(value)
    cut = shown if len(shown) <= most else f"{shown[: most - 1]}…"
    return html.escape("".join(map(_visible, cut)))


def _visible(letter: str) -> str:
    if letter in "\n\t":
        return letter
    # Controls and signs that turn or join text: a name must look like what it is.
    return f"\\u{ord(letter):04x}" if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn") else letter


def head(title: str, about: str = "") -> str:
    """Return the head of a panel."""
    beside = f'<span class="tm-sub">{text(about)}</span>'
    return f'<div class="tm-head"><span class="tm-title">{text(title)}</span>{beside}</div>'


def section(title: str) -> str:
    """Return the head of a part."""
    return f'<div class="tm-section">{text(title)}</div>'


def note(sentence: str, kind: str = "") -> str:
    """Return a sentence: *kind* is ``error``, ``done``, ``warning`` or nothing. Screen readers are told of it."""
    if not sentence:
        return ""
    role = "alert" if kind == "error" else "status"
    return f'<div class="tm-note{f" tm-{kind}" * bool(kind)}" role="{role}">{text(sentence, most=2_000)}</div>'


def empty(sentence: str) -> str:
    """Return what stands where there is nothing to show."""
    return f'<div class="tm-empty">{text(sentence)}</div>'


def code(line: str, about: str = "") -> str:
    """Return a line to copy: one click selects it."""
    if not line:
        return ""
    before = f'<span class="tm-quiet">{text(about)} </span>' if about else ""
    return f'<div>{before}<span class="tm-code">{text(line, most=4_000)}</span></div>'


def badge(word: object, kind: str = "") -> str:
    """Return a type or a state; *kind* as for `note`."""
    mark = f" tm-{kind}" * bool(kind)
    return f'<span class="tm-badge{mark}">{text(word, most=80)}</span>' if word not in (None, "") else ""


def bar(percent: float | None) -> str:
    """Return a bar of progress; ``None`` means that nobody knows how far it is."""
    if percent is None:
        return '<div class="tm-bar tm-going" role="progressbar" aria-label="at work"><div></div></div>'
    width = max(0.0, min(100.0, percent))
    return (
        f'<div class="tm-bar" role="progressbar" aria-valuenow="{width:.0f}" aria-valuemin="0" aria-valuemax="100">'
        f'<div style="width:{width:.1f}%"></div></div>'
    )


def table(
    heads: Sequence[str],
    lines: Iterable[Sequence[str]],
    *,
    numbers: Sequence[int] = (),
    kind: str = "",
    label: str = "",
) -> str:
    """Return a table.

    Args:
        heads: of the columns, as text; without any the table has no line of heads.
        lines: the cells **as HTML**: use `text` or `badge` for each.
        numbers: places of the columns that stand at the right.
        kind: a further class, for instance ``tm-rows``.
        label: what the table is, for screen readers.
    """
    marks = [' class="tm-number"' if place in numbers else "" for place in range(len(heads))]
    top = "".join(f'<th scope="col"{mark}>{text(name)}</th>' for name, mark in zip(heads, marks, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{mark}>{cell}</td>" for cell, mark in zip(cells, marks, strict=True)) + "</tr>"
        for cells in lines
    )
    aria = f' aria-label="{text(label)}"' if label else ""
    named = f"<thead><tr>{top}</tr></thead>" if any(heads) else ""
    return f'<div class="tm-scroll"><table class="tm-table {kind}"{aria}>{named}<tbody>{body}</tbody></table></div>'
