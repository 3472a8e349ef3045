"""A bar for work that takes long: a widget where the notebook has them, a line of text elsewhere."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from tinymagic.notebook.display import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tinymagic.api.progress import Progress

#: Work that is done sooner shows no bar.
SHOWN_AFTER_S = 0.5


@contextlib.contextmanager
def progress(what: str, *, unit: str = "B", total: float | None = None) -> Iterator[Callable[[Progress], object]]:
    """Give the block a function to tell its progress to, for ``on_progress=`` of the client.

    The bar appears with the first news that comes later than `SHOWN_AFTER_S` seconds, and is gone when the block ends,
    however it ends: what became of the work is for the command to say.

    Args:
        what: is being done, for instance ``append to trips``.
        unit: ``B`` for bytes (shown as KB, MB ...), ``rows``, or ``%``.
        total: so much there is to do, when that is known before the work itself says so.
    """
    bar = _Bar(what, unit, total)
    try:
        yield bar.tell
    finally:
        bar.close()


class _Bar:
    """A bar of tqdm that is made when it is needed."""

    def __init__(self, what: str, unit: str, total: float | None) -> None:
        self._what = visible(what)
        self._unit = unit
        self._total = total
        self._started = time.monotonic()
        self._bar: Any = None

    def tell(self, news: Progress) -> None:
        """Take news; the first ones in time show nothing."""
        if self._bar is None:
            if time.monotonic() - self._started < SHOWN_AFTER_S:
                return
            self._bar = _new_bar(self._what, news, news.unit or self._unit, news.total or self._total)
        total = news.total or self._total
        if total and self._bar.total != total:
            self._bar.total = total
            self._bar.refresh()
        # Work that is tried again begins anew: a bar may go back.
        self._bar.update(news.done - self._bar.n)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


def _new_bar(what: str, news: Progress, unit: str, total: float | None) -> Any:
    # tqdm.auto is a widget in a notebook with ipywidgets, and a line of text elsewhere; it warns when they are missing.
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm as tqdm_of_here

        class tqdm(tqdm_of_here):  # type: ignore[type-arg] # noqa: N801
            # Else it starts a thread that stays.
            monitor_interval = 0

        if unit == "%":
            form = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}"
            return tqdm(desc=what, total=total or 100, initial=int(news.done), bar_format=form, leave=False)
        name = unit if unit == "B" else f" {unit}"
        return tqdm(desc=what, total=total, initial=int(news.done), unit=name, unit_scale=True, leave=False)
