"""What travels in one request, and where pieces come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tinymagic.api.upload import Upload


@dataclass(frozen=True)
class Piece:
    """Rows that travel in one request.

    Attributes:
        first_row: place of its first row among the rows in, from 0.
        rows: how many; ``None`` when they have not been counted.
        upload: the data.
        again: makes the data anew, for a later retry; ``None``: *upload* is kept, which is cheap for files.
        cut: makes the data of its rows from one to before another, counted in the piece; ``None``: it cannot be cut.
        count: counts the rows when *rows* is ``None``; returns ``None`` when that is not possible.
        error: why it cannot be sent at all, or ``None``.
    """

    first_row: int
    rows: int | None
    upload: Upload
    again: Callable[[], Upload] | None = None
    cut: Callable[[int, int], Upload] | None = None
    count: Callable[[], int | None] | None = None
    error: Exception | None = None

    def counted(self) -> int | None:
        """Return the number of rows, counted now if need be."""
        return self.count() if self.rows is None and self.count is not None else self.rows

    def part(self, start: int, stop: int) -> Piece:
        """Return the piece of its rows from *start* to before *stop*; only for one that can be cut."""
        assert self.cut is not None  # asked before
        cut = self.cut
        return Piece(
            self.first_row + start,
            stop - start,
            cut(start, stop),
            again=(lambda: cut(start, stop)) if self.again is not None else None,
            cut=lambda first, last: cut(start + first, start + last),
        )


class Source(Protocol):
    """Where pieces come from, in the order of their rows."""

    def pieces(self) -> Iterator[Piece]:
        """Make the pieces one after the other; each is made when the one before is done with."""
        ...

    def rest(self, row: int) -> Source | None:
        """Return the rows from *row* on that were taken and are in no piece that was dealt with; ``None`` for none."""
        ...

    def rest_rows(self) -> int | None:
        """Return how many rows all its pieces have; ``None`` when that is not known or takes long."""
        ...

    def rest_bytes(self) -> int:
        """Return how long their data is, 0 when that is not known."""
        ...


@dataclass(frozen=True)
class Pieces:
    """Pieces that are there already; also what is kept of one that failed."""

    given: Sequence[Piece]

    def pieces(self) -> Iterator[Piece]:
        """Give them; the data of one is made anew when it was not kept."""
        for piece in self.given:
            upload = piece.again() if piece.again is not None else piece.upload
            yield Piece(piece.first_row, piece.rows, upload, piece.again, piece.cut, piece.count, piece.error)

    def rest(self, row: int) -> Source | None:
        """Return those from *row* on; of one that was dealt with in part, the other part."""
        left: list[Piece] = []
        for piece in self.given:
            end = None if piece.rows is None else piece.first_row + piece.rows
            if piece.first_row >= row:
                left.append(piece)
            elif end is not None and end > row and piece.cut is not None and piece.rows is not None:
                left.append(piece.part(row - piece.first_row, piece.rows))
        return Pieces(left) if left else None

    def rest_rows(self) -> int | None:
        """Add up the rows."""
        counts = [piece.counted() for piece in self.given]
        return None if None in counts else sum(count or 0 for count in counts)

    def rest_bytes(self) -> int:
        """Add up the bytes."""
        return sum(piece.upload.size_bytes for piece in self.given)


@dataclass(frozen=True)
class Chain:
    """Sources one after the other; what is sent again after failures here and there."""

    sources: Sequence[Source]
    _at: list[int] = field(default_factory=lambda: [0], repr=False)

    def pieces(self) -> Iterator[Piece]:
        """Make the pieces of each."""
        for place, source in enumerate(self.sources):
            self._at[0] = place
            yield from source.pieces()
        self._at[0] = len(self.sources)

    def rest(self, row: int) -> Source | None:
        """Return what is left of the one under way, and all behind it."""
        at = self._at[0]
        if at >= len(self.sources):
            return None
        left = [rest] if (rest := self.sources[at].rest(row)) is not None else []
        left += self.sources[at + 1 :]
        return Chain(left) if left else None

    def rest_rows(self) -> int | None:
        """Add up the rows."""
        counts = [source.rest_rows() for source in self.sources]
        return None if None in counts else sum(count or 0 for count in counts)

    def rest_bytes(self) -> int:
        """Add up the bytes."""
        return sum(source.rest_bytes() for source in self.sources)
