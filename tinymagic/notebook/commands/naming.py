"""A name that the service does not know is answered with near names."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tinymagic.errors import NotFound, TinybirdError
from tinymagic.names import near_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@contextlib.contextmanager
def near(kind: str, name: str, known: Callable[[], Iterable[str]]) -> Iterator[None]:
    """Let a `NotFound` (404) of the block say "There is no Pipe 'x'." with the names that may have been meant.

    Args:
        kind: of resource, as Tinybird calls it: ``Pipe``, ``Data Source``, ``token``.
        name: that was asked for.
        known: gives the names that there are; called only after a 404. When it fails, there are no proposals. When
            *name* is among them, something else is missing, and the service's own words stay.

    Raises:
        NotFound: the same error with another text, and with ``suggestions``.
    """
    try:
        yield
    except NotFound as error:
        try:
            names = list(known())
        except TinybirdError:
            names = []
        if name not in names:
            error.args = (f"There is no {kind} {name!r}.",)
            error.suggestions = tuple(near_names(name, names))  # type: ignore[attr-defined] # the card shows them
        raise error from None
