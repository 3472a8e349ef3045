"""What became of the rows of an ingestion: one report for every way. Pure.

The promise: ``rows in = stored + quarantined + invalid + failed + unknown``, whatever happens.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tinymagic.api.datasource_results import DataSource, ImportReport
    from tinymagic.api.ingest.carriers import Carrier
    from tinymagic.api.ingest.pieces import Source

#: ``answered``: the service said what became of the rows. ``failed``: they certainly were not stored. ``unknown``: the
#: request went out, and no reply that can be read came back. ``not sent``: the work ended before their turn.
Outcome: TypeAlias = Literal["answered", "failed", "unknown", "not sent"]

#: How rows travelled: the Events API, one multipart upload each, an import job (``/v1``), a job that fetches a URL.
Way: TypeAlias = Literal["events", "multipart", "job", "url"]

_MOST_BATCHES = 10_000


@dataclass(frozen=True)
class Batch:
    """The rows of one request.

    Attributes:
        number: the first is 1.
        first_row: place of its first row among the rows in, from 0.
        rows: how many rows it has; ``None`` when nobody counted them.
        bytes: length of the data, before compression on the way.
        outcome: what is known about it.
        stored: rows that the service says it stored.
        quarantined: rows that the service says it put into the quarantine.
        invalid: lines that the service says it could not read.
        status: HTTP status of the last reply, or ``None``.
        error: what went wrong, or what the service says about rows that it did not store; or ``None``.
        attempts: requests made.
        import_id: under which the quarantine knows the rows, or ``None``.
        job_id: of the job that carried them, or ``None``.
    """

    number: int
    first_row: int
    rows: int | None
    bytes: int
    outcome: Outcome
    stored: int = 0
    quarantined: int = 0
    invalid: int = 0
    status: int | None = None
    error: str | None = None
    attempts: int = 0
    import_id: str | None = None
    job_id: str | None = None
    source: Source | None = field(default=None, repr=False, compare=False)

    @property
    def failed(self) -> int:
        """Rows that certainly were not stored."""
        return (self.rows or 0) if self.outcome in ("failed", "not sent") else 0

    @property
    def unknown(self) -> int:
        """Rows of which it is not known whether they were stored."""
        if self.outcome not in ("answered", "unknown") or self.rows is None:
            return 0
        return self.rows - self.stored - self.quarantined - self.invalid


@dataclass(frozen=True)
class Reason:
    """Why rows are in the quarantine.

    Attributes:
        column: whose values do not fit; ``""`` when the whole row does not.
        reason: in the service's words, values left out.
        rows: so many.
        example: the service's sentence about one of them.
    """

    column: str
    reason: str
    rows: int
    example: str


@dataclass(frozen=True)
class IngestReport:
    """What became of the rows; ``rows_in == stored + quarantined + invalid + failed + unknown``, always.

    Attributes:
        name: of the Data Source.
        via: how the rows travelled.
        batches: one for each request, in order of their rows; of a very long stream the first ones are folded into one.
        interrupted: whether the work was ended by an interrupt or a cancellation.
        waited: whether the service was asked to answer when the rows are stored; without that (``wait=False`` of the
            Events API) *stored* means accepted.
        reasons: why rows are in the quarantine, the most frequent first; empty when the token may not read it.
        unfinished: whether a generator was left with rows that nobody asked for.
        reply: what the last import said besides counts, or ``None``.
        ignored_columns: columns of the data that the Data Source does not have.
        notices: sentences about choices that were made.
    """

    name: str
    via: Way
    batches: tuple[Batch, ...]
    interrupted: bool = False
    waited: bool = True
    reasons: tuple[Reason, ...] = ()
    unfinished: bool = False
    reply: ImportReport | None = field(default=None, repr=False)
    ignored_columns: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    carrier: Carrier | None = field(default=None, repr=False, compare=False)
    #: The report of the same rows after they were sent again, the latest last: a cell that is run twice resumes twice,
    #: and what was stored in between must not be sent once more.
    resumptions: list[IngestReport] = field(default_factory=list, repr=False, compare=False)

    def __copy__(self) -> IngestReport:
        # A copy that forgot its resumptions would send rows a second time, so a report is its own copy.
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> IngestReport:
        return self

    def __getstate__(self) -> dict[str, object]:
        """Return what is pickled: the books, without the rows and the connection that could send them again."""
        books = tuple(replace(batch, source=None) for batch in self.batches)
        return {**vars(self), "batches": books, "carrier": None, "resumptions": []}

    @property
    def rows_in(self) -> int:
        """Rows that were taken from the data, sent or not."""
        return self.stored + self.quarantined + self.invalid + self.failed + self.unknown

    @property
    def sent(self) -> int:
        """Rows in requests that were made."""
        return self.rows_in - sum(batch.failed for batch in self.batches if batch.outcome == "not sent")

    @property
    def stored(self) -> int:
        """Rows in the Data Source."""
        return sum(batch.stored for batch in self.batches)

    @property
    def quarantined(self) -> int:
        """Rows in the quarantine, because they do not fit the schema."""
        return sum(batch.quarantined for batch in self.batches)

    @property
    def invalid(self) -> int:
        """Lines or rows that could not be read or written at all."""
        return sum(batch.invalid for batch in self.batches)

    @property
    def failed(self) -> int:
        """Rows that certainly were not stored; sending them again is safe."""
        return sum(batch.failed for batch in self.batches)

    @property
    def unknown(self) -> int:
        """Rows of which it is not known whether they were stored."""
        return sum(batch.unknown for batch in self.batches)

    @property
    def failed_batches(self) -> tuple[Batch, ...]:
        """The batches that certainly were not stored: what `resume` sends."""
        return tuple(batch for batch in self.batches if batch.outcome in ("failed", "not sent"))

    @property
    def unknown_batches(self) -> tuple[Batch, ...]:
        """The batches whose fate is not known."""
        return tuple(batch for batch in self.batches if batch.outcome == "unknown")

    @property
    def complete(self) -> bool:
        """Whether every row is stored, as far as the replies tell."""
        return all(
            batch.outcome == "answered" and not (batch.error or batch.quarantined or batch.invalid)
            for batch in self.batches
        )

    # The words of one import

    @property
    def rows(self) -> int | None:
        """Rows stored; ``None`` when no reply told."""
        told = any(batch.stored or not batch.unknown for batch in self.batches if batch.rows is not None)
        return self.stored if told or not self.batches else None

    @property
    def invalid_lines(self) -> int:
        """The same as *invalid*."""
        return self.invalid

    @property
    def error(self) -> str | None:
        """The first sentence about rows that were not stored, or ``None``."""
        return next((batch.error for batch in self.batches if batch.error), None)

    @property
    def errors(self) -> tuple[str, ...]:
        """The service's sentences about single rows of the last import."""
        return self.reply.errors if self.reply else ()

    @property
    def import_id(self) -> str | None:
        """Under which the quarantine knows the last import, or ``None``."""
        return next((batch.import_id for batch in reversed(self.batches) if batch.import_id), None)

    @property
    def datasource(self) -> DataSource | None:
        """The Data Source as the last reply describes it, or ``None``."""
        return self.reply.datasource if self.reply else None

    @property
    def raw(self) -> Mapping[str, Any]:
        """The last import's whole reply; empty when there was none."""
        return self.reply.raw if self.reply else {}

    def sentence(self, *, retry: str | None = None) -> str:
        """Say in words what became of the rows, and what to do about those that were not stored.

        Args:
            retry: what sends the failed ones again; default the call in Python.

        Example:
            >>> batch = Batch(1, 0, 3, 40, "answered", stored=2, quarantined=1)
            >>> IngestReport("events", "events", (batch,)).sentence()
            '2 rows stored, 1 row in quarantine. Do not send all of them again: the stored rows would be there twice.'
        """
        from tinymagic.api.ingest.sentence import sentence_of

        return sentence_of(self, retry)

    def __str__(self) -> str:
        """Return the sentence."""
        return self.sentence()


def numbered(batches: Iterable[Batch]) -> tuple[Batch, ...]:
    """Return batches in the order of their rows, numbered anew."""
    ordered = sorted(batches, key=lambda batch: (batch.first_row, batch.number))
    return tuple(replace(batch, number=number) for number, batch in enumerate(ordered, 1))


def folded(batches: Sequence[Batch]) -> list[Batch]:
    """Return *batches*, the older ones that were answered as one when there are very many: a stream may last days."""
    if len(batches) < _MOST_BATCHES:
        return list(batches)
    old, new = batches[: _MOST_BATCHES // 2], batches[_MOST_BATCHES // 2 :]
    answered = [batch for batch in old if batch.outcome == "answered" and batch.rows is not None]
    if not answered:
        return list(batches)
    whole = replace(
        answered[0],
        rows=sum(batch.rows or 0 for batch in answered),
        bytes=sum(batch.bytes for batch in answered),
        stored=sum(batch.stored for batch in answered),
        quarantined=sum(batch.quarantined for batch in answered),
        invalid=sum(batch.invalid for batch in answered),
        attempts=sum(batch.attempts for batch in answered),
        error=next((batch.error for batch in answered if batch.error), None),
    )
    return [whole, *(batch for batch in old if batch.outcome != "answered" or batch.rows is None), *new]
