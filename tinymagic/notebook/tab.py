"""The Tab key in lines of ``%tinybird``: how IPython asks, from version 7 to 9, in terminals and notebooks.

IPython from 8.6 on takes a matcher that sees the whole text (`Completer.custom_matchers`, version 2 of its interface),
and lets it keep out the proposals for Python. Before, there are only the custom completers of a command, whose words
IPython has cut itself.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tinymagic.notebook.completion import Offer
    from tinymagic.notebook.extension import Notebook

#: ``%tinybird``, alone or assigned to something.
_LINE_RE = re.compile(r"\s*(?:[\w.,\s\[\]'\"*]+=\s*)?%tinybird\s(?P<rest>.*)", re.DOTALL)
_MOST_FILES = 500


def offers_for(notebook: Notebook, before_cursor: str) -> list[Offer]:
    """Return what may stand at the cursor; nothing when this is no line of ``%tinybird``.

    Args:
        notebook: session and variables.
        before_cursor: the line with the cursor, up to it.
    """
    found = _LINE_RE.fullmatch(before_cursor)
    if found is None:
        return []
    from tinymagic.notebook.completion import offers

    # The names are on their way while the noun is being written.
    notebook.names.names("datasource")
    notebook.names.names("pipe")
    return offers(found["rest"], lambda kind, before: look_up(notebook, kind, before))


def look_up(notebook: Notebook, kind: str, before: str) -> Iterable[str]:
    """Return the names of a kind that are known, at once; the kinds are those of `tinymagic.notebook.completion`."""
    from tinymagic.notebook.completion import LOCAL_KINDS

    if kind not in LOCAL_KINDS:
        return notebook.names.names(kind, before)
    with contextlib.suppress(Exception):
        return list(_local_names(notebook, kind, before))
    return ()


def _local_names(notebook: Notebook, kind: str, before: str) -> Iterable[str]:
    if kind == "profile":
        from tinymagic import profiles

        return [each.name for each in profiles.list_profiles()]
    if kind == "region":
        from tinymagic.regions import REGIONS

        return [f"{each.provider}/{each.provider_region}" for each in REGIONS]
    if kind == "sample":
        from tinymagic.notebook.samples import SAMPLES

        return list(SAMPLES)
    if kind in ("rows", "name", "reference"):
        sign = "$" if kind == "reference" else ""
        return [sign + name for name in variables_of(notebook.shell, only_rows=kind == "rows")]
    return _files(before, only_folders=kind == "folder")


def variables_of(shell: Any, *, only_rows: bool) -> list[str]:
    """Return the notebook's variables that the user has made."""
    hidden = getattr(shell, "user_ns_hidden", {})
    return sorted(
        name
        for name, value in shell.user_ns.items()
        if not name.startswith("_") and name not in hidden and (not only_rows or holds_rows(value))
    )


def holds_rows(value: object) -> bool:
    """Say whether a value is something that rows are taken from: a frame of any library, a list of dictionaries."""
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], dict)
    return hasattr(type(value), "columns") or hasattr(type(value), "column_names")


def _files(written: str, *, only_folders: bool) -> list[str]:
    """Return the paths that begin with what is written; folders end in a slash."""
    folder, _, start = written.rpartition("/")
    place = Path(f"{folder}/" if folder or written.startswith("/") else ".").expanduser()
    found = []
    for path in sorted(place.iterdir()):
        if not path.name.startswith(start) or (path.name.startswith(".") and not start.startswith(".")):
            continue
        is_folder = path.is_dir()
        if is_folder or not only_folders:
            found.append(f"{folder}/" * ("/" in written) + path.name + "/" * is_folder)
        if len(found) == _MOST_FILES:
            break
    return found


# --- IPython ----------------------------------------------------------------------------------------------------------


class TabKey:
    """Registers completion with a shell, and takes it away again.

    Args:
        notebook: whose lines are completed.
    """

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._matcher: Any = None
        self._hooked = False

    def register(self) -> None:
        """Begin to answer."""
        completer = getattr(self._notebook.shell, "Completer", None)
        if completer is None:
            return
        try:
            from IPython.core.completer import SimpleCompletion, context_matcher
        except ImportError:
            self._register_hooks(completer)
            return

        # No bound method: IPython tells matchers apart by their names, and writes attributes on them.
        @context_matcher(identifier="tinymagic")  # type: ignore[untyped-decorator]
        def matcher(context: Any) -> Any:
            found = offers_for(self._notebook, context.text_until_cursor)
            fragment = found[0].fragment if found else ""
            texts = [SimpleCompletion(text, type=each.kind) for each in found for text in each.texts]
            return {"completions": texts, "matched_fragment": fragment, "suppress": bool(texts), "ordered": True}

        self._matcher = matcher
        completer.custom_matchers.insert(0, matcher)

    def close(self) -> None:
        """Answer no more."""
        completer: Any = getattr(self._notebook.shell, "Completer", None)
        if self._matcher is not None and self._matcher in completer.custom_matchers:
            completer.custom_matchers.remove(self._matcher)
        if self._hooked:
            _unhook(completer.custom_completers, self._hook)
        self._matcher, self._hooked = None, False

    def _register_hooks(self, completer: Any) -> None:
        completer.custom_completers.add_s("%tinybird", self._hook, 0)
        completer.custom_completers.add_re(r".*=\s*%tinybird\s", self._hook, 0)
        self._hooked = True

    def _hook(self, event: Any) -> list[str]:
        """Answer an IPython that has cut the words itself: only what begins with its word fits."""
        symbol = event.symbol
        texts = []
        for each in offers_for(self._notebook, event.text_until_cursor):
            lead = symbol[: len(symbol) - len(each.fragment)] if symbol.endswith(each.fragment) else None
            if lead is None and each.fragment.endswith(symbol):
                # IPython has cut more off than we: a path with signs of its own.
                cut = len(each.fragment) - len(symbol)
                texts += [text[cut:] for text in each.texts if not text.startswith("'")]
            elif lead is not None:
                texts += [lead + text for text in each.texts if not text.startswith("'")]
        return texts


def _unhook(dispatch: Any, hook: Any) -> None:
    """Take *hook* out of IPython's table of completers, which has no way of its own for that."""
    for table in (dispatch.strs, dispatch.regexs):
        for key, chain in list(table.items()):
            kept = [pair for pair in getattr(chain, "chain", []) if pair[1] != hook]
            if hasattr(chain, "chain"):
                chain.chain[:] = kept
            if not kept and hasattr(chain, "chain"):
                del table[key]
