"""Statements that differ in texts between quotes only: the gate looks at one of them, and the others are known.

A template with ``{{Int32(n)}}`` gives ``toInt32('5')`` for one request and ``toInt32('6')`` for the next. The template
language tells where it wrote such a literal (`Rendered.literals`). With a word that nobody can guess in the place of
each, both texts are the same: their *shape*. What the gate found out about the shape holds for every text of it when

* the shape passes the gate unchanged,
* in its tree each word is the whole value of one literal, so that it does not stand inside of other quotes, in a
  comment, or where the parser reads a text as something else, such as ``COLUMNS('...')``,
* none of the words is among what the gate found: names of tables, settings.

A literal is quoted by the template language, so it is one token whatever is in it, and the tree around it stays as it
is. Anything else goes through the gate as a whole. So does the first text of a shape, for errors are about what was
written.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections import Counter, OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from tinymagic.local.engine import EngineError
from tinymagic.local.errors import ApiError

from .tree import nodes_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .gate import SqlGate, Statement

_MOST_SHAPES = 1_000

#: More literals than these are no parameters but a list.
_MOST_LITERALS = 200


class Shapes:
    """Remembers shapes, with *gate* behind it."""

    def __init__(self, gate: SqlGate) -> None:
        self._gate = gate
        self._word = f"tm{secrets.token_hex(16)}_"
        self._word_re = re.compile(f"'{self._word}[0-9]+_'")
        self._lock = threading.Lock()
        #: ``None``: seen once; ``False``: the texts of it must be looked at one by one.
        self._known: OrderedDict[tuple[str, bool], Statement | bool | None] = OrderedDict()

    def check(
        self, sql: str, literals: Sequence[tuple[int, int]], *, copying: bool = False
    ) -> tuple[Statement, Mapping[str, str]]:
        """Return what `SqlGate.check` says of *sql*, and what `filled` has to put into the statement's text.

        Args:
            sql: the text.
            literals: begin and end of quoted texts in it, in order.
            copying: see `SqlGate.check`.

        Raises:
            BadRequest: the gate refuses it.
        """
        if not literals or len(literals) > _MOST_LITERALS:
            return self._gate.check(sql, copying=copying), {}
        shape, values = self._shape(sql, literals)
        key = (shape, copying)
        with self._lock:
            is_known = key in self._known
            known = self._known.get(key)
            if is_known:
                self._known.move_to_end(key)
        if known is not None and not isinstance(known, bool):
            return known, values
        statement = self._gate.check(sql, copying=copying)
        if known is None:
            # Looking at a shape costs as much as looking at a text: it is done when a second one has come.
            found = self._statement(shape, statement, values, copying) if is_known else None
            with self._lock:
                self._known[key] = found
                if len(self._known) > _MOST_SHAPES:
                    self._known.popitem(last=False)
        return statement, {}

    def filled(self, sql: str, values: Mapping[str, str]) -> str:
        """Put the literals into a text that was made of a shape."""
        return self._word_re.sub(lambda found: values[found[0]], sql) if values else sql

    def _shape(self, sql: str, literals: Sequence[tuple[int, int]]) -> tuple[str, dict[str, str]]:
        pieces: list[str] = []
        values: dict[str, str] = {}
        end = 0
        for number, (begin, next_end) in enumerate(literals):
            word = f"'{self._word}{number}_'"
            pieces += [sql[end:begin], word]
            values[word] = sql[begin:next_end]
            end = next_end
        return "".join([*pieces, sql[end:]]), values

    def _statement(self, shape: str, real: Statement, values: Mapping[str, str], copying: bool) -> Statement | bool:
        """Return what is found out about a shape, ``False`` when it does not hold for its texts."""
        try:
            statement = self._gate.check(shape, copying=copying)
            tree = self._gate.tree(shape)
        except (ApiError, EngineError, RecursionError):  # DESCRIBE passes the gate, and has no tree.
            return False
        others = replace(statement, sql="")
        if statement.sql != shape or others != replace(real, sql="") or self._word in repr(others):
            return False
        found = Counter(
            node["value"].get("value")
            for node in nodes_of(tree)
            if node["type"] == "Literal" and isinstance(node.get("value"), dict)
            if isinstance(node["value"].get("value"), str)
        )
        return statement if all(found[word[1:-1]] == 1 for word in values) else False
