"""``--cache`` and ``--freeze``: results on disk.

What is kept is the reply as it came, so that a kept result is decoded by the same code as a new one and is equal to it,
in every type. One file holds a result: a line of JSON about it, then the reply.

Results of ``--cache`` lie in the user's cache folder, and belong to a host, a token and a query. Those of ``--freeze``
lie beside the notebook, in ``.tinymagic/frozen``, and belong to the query alone: they may be handed on with the
notebook, to people who have no login.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinymagic.notebook.display import human_bytes, visible
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.raw_results import KeptReply, Rows
    from tinymagic.notebook.cells.prepared import PreparedCell

#: All results of ``--cache`` together; the oldest go first.
MOST_BYTES = 1_000_000_000

#: In the name of a file: this many hex digits of a SHA-256 tell queries apart.
_DIGITS = 32

_FORMAT = 1


def cached_rows(cell: PreparedCell, cancellation: Cancellation | None = None) -> Rows:
    """Return the rows of a cell from disk, if they are there and not too old; else from the Workspace, and keep them.

    Args:
        cell: with ``cache_s``, infinite for a frozen result.
        cancellation: ends the request.

    Raises:
        TinybirdError: as `PreparedCell.rows`.
        CellProblem: the result cannot be written.
    """
    frozen = cell.arguments.cache_s == float("inf")
    path = _place(cell, frozen=frozen)
    kept = _read(path, None if frozen else cell.arguments.cache_s)
    if kept is not None:
        return cell.rows_of(kept.reply, notice=_notice(kept, path, frozen=frozen))
    replies: list[KeptReply] = []
    rows = cell.rows(cancellation, on_reply=replies.append)
    _write(path, replies[-1])
    if not frozen:
        _prune(path.parent)
    return rows


@dataclass(frozen=True)
class _Kept:
    reply: KeptReply
    kept_at: float


def _notice(kept: _Kept, path: Path, *, frozen: bool) -> str:
    age = age_of(time.time() - kept.kept_at)
    if frozen:
        return f"Frozen {age} ago. For a new result, delete {visible(str(path))}."
    return f"From the cache, {age} old."


def age_of(seconds: float) -> str:
    """Return an age in the unit that suits it.

    Example:
        >>> age_of(0.4), age_of(75), age_of(7_300), age_of(200_000)
        ('0 s', '1 min', '2 h', '2 days')
    """
    seconds = max(seconds, 0)
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= (2 * length if unit == "days" else length):
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


# --- where ------------------------------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Return the folder of the results of ``--cache``; ``TINYMAGIC_CACHE_HOME`` or ``XDG_CACHE_HOME`` may move it."""
    own = os.environ.get("TINYMAGIC_CACHE_HOME")
    if own:
        return Path(own) / "results"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinymagic" / "results"


def _place(cell: PreparedCell, *, frozen: bool) -> Path:
    asked = {
        "sql": cell.bound.text,
        "parameters": dict(cell.bound.parameters),
        "limit": cell.limit,
        "pipeline": cell.arguments.pipeline,
        "workspace": None if frozen else cell.workspace.identity,
    }
    text = json.dumps(asked, sort_keys=True, ensure_ascii=False, default=str)
    name = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    folder = Path.cwd() / ".tinymagic" / "frozen" if frozen else cache_folder()
    return folder / f"{name}.result"


# --- files ------------------------------------------------------------------------------------------------------------


def _read(path: Path, most_s: float | None) -> _Kept | None:
    """Return what a file holds; ``None`` when there is none, it is older than *most_s*, or it is damaged."""
    from tinymagic.api.raw_results import KeptReply

    try:
        with path.open("rb") as file:
            head: Any = json.loads(file.readline())
            body = file.read()
        kept_at = float(head["kept_at"])
        right = head["format"] == _FORMAT and len(body) == head["bytes"] and isinstance(head["facts"], dict)
        reply = KeptReply(str(head["wire_format"]), body, head["facts"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if not right or (most_s is not None and not 0 <= time.time() - kept_at <= most_s):
        return None
    return _Kept(reply, kept_at)


def _write(path: Path, reply: KeptReply) -> None:
    head = {
        "format": _FORMAT,
        "kept_at": time.time(),
        "wire_format": reply.wire_format,
        "bytes": len(reply.body),
        "facts": reply.facts,
    }
    draft = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(json.dumps(head).encode() + b"\n")
            file.write(reply.body)
        draft.replace(path)
    except OSError as error:
        raise CellProblem(f"The result cannot be kept in {str(path.parent)!r}: {error.strerror or error}.") from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def _prune(folder: Path) -> None:
    """Delete the oldest results until the folder is small enough."""
    found = []
    for path in folder.glob("*.result"):
        with contextlib.suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found)[:-1]:
        if total <= MOST_BYTES:
            return
        with contextlib.suppress(OSError):
            path.unlink()
            total -= size


def forget_results() -> str:
    """Delete all results of ``--cache``; return in words how much that was."""
    paths = list(cache_folder().glob("*.result"))
    size = sum(path.stat().st_size for path in paths)
    for path in paths:
        path.unlink(missing_ok=True)
    return f"{len(paths):,} results, {human_bytes(size)}"
