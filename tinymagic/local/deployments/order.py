"""Who comes before whom: a topological order that keeps the given order where it can. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Cycle(ValueError):  # noqa: N818 - says what there is
    """Some need each other.

    Attributes:
        names: along the cycle; the first needs the second, and so on, and the last needs the first.
    """

    def __init__(self, names: list[str]) -> None:
        super().__init__(" -> ".join([*names, names[0]]))
        self.names = names


def ordered(names: Iterable[str], needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Return *names* so that each comes after what it needs; names that are not asked for are passed over.

    Raises:
        Cycle: there is no such order.

    Example:
        >>> ordered(["c", "a", "b"], {"c": ["b"], "b": ["a"]})
        ['a', 'b', 'c']
    """
    wanted = list(names)
    known = set(wanted)
    done: dict[str, None] = {}
    for start in wanted:
        if start in done:
            continue
        path: list[str] = []
        stack: list[tuple[str, bool]] = [(start, False)]
        while stack:
            name, is_left = stack.pop()
            if is_left:
                path.pop()
                done[name] = None
                continue
            if name in done:
                continue
            if name in path:
                raise Cycle(path[path.index(name) :])
            path.append(name)
            stack.append((name, True))
            # The last one in is looked at first.
            stack.extend((each, False) for each in reversed([*needs.get(name, ())]) if each in known)
    return [*done]
