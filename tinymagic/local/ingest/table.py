"""A table by database and name."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from tinymagic.local.engine import quote_identifier

STAGING_DATABASE = "_tm_staging"


@dataclass(frozen=True)
class Table:
    """A table by database and name."""

    database: str
    name: str

    @property
    def sql(self) -> str:
        """The quoted name."""
        return f"{quote_identifier(self.database)}.{quote_identifier(self.name)}"

    @property
    def quarantine(self) -> Table:
        """The quarantine of the Data Source."""
        return Table(self.database, f"{self.name}_quarantine")


def staging_table() -> Table:
    """Return a name in the staging database that nothing uses yet."""
    return Table(STAGING_DATABASE, f"load_{uuid.uuid4().hex}")
