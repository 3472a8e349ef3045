"""Rules of the embedded Tinybird, one module per resource. They know `Engine` and `Catalog` and no HTTP.

`Services` holds them all; it is built once (`app.create_app`) and handlers reach it as ``request.app.state.services``.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .query import QueryService
from .tokens import TokensService
from .workspaces import WorkspacesService

if TYPE_CHECKING:
    from pathlib import Path

    from tinymagic.local.catalog import Catalog
    from tinymagic.local.engine import Engine
    from tinymagic.local.limits import Limits


@dataclass(frozen=True)
class Services:
    """All services of one server."""

    engine: Engine
    catalog: Catalog
    limits: Limits
    port: int
    tokens: TokensService
    workspaces: WorkspacesService
    query: QueryService
    datasources: Any

    @classmethod
    def build(
        cls, engine: Engine, catalog: Catalog, limits: Limits, *, port: int = 0, spool: Path | None = None
    ) -> Services:
        """Make the services and whatever must exist before the first request.

        *spool* is the folder for uploads; a temporary one when ``None``.
        """
        datasources: Any = None
        if importlib.util.find_spec(f"{__package__}.datasources"):
            module = importlib.import_module(f"{__package__}.datasources")
            datasources = module.DataSourcesService(engine, catalog, limits, spool)
        workspaces = WorkspacesService(engine, catalog)
        workspaces.prepare()
        return cls(
            engine=engine,
            catalog=catalog,
            limits=limits,
            port=port,
            tokens=TokensService(catalog),
            workspaces=workspaces,
            query=QueryService(engine, catalog, limits),
            datasources=datasources,
        )

    def close(self) -> None:
        """Give up what lies on disk for the time of this process only."""
        if self.datasources is not None:
            self.datasources.close()
