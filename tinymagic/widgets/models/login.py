"""Where to connect, and with which token. The token is in a `Secret` outside of all traits."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from traitlets import Bool, Enum, Instance, List, Unicode

from tinymagic import local, profiles
from tinymagic.api.http.hosts import is_local_host, normalise_host
from tinymagic.api.http.redaction import Secret
from tinymagic.api.own_token import OwnToken
from tinymagic.errors import ConfigurationError, Forbidden, TinybirdError
from tinymagic.local import LocalServer
from tinymagic.notebook.commands.token_facts import check_not_expired, end_text, entry_of
from tinymagic.regions import REGIONS, Region, region_of_host, region_of_token
from tinymagic.widgets.models.login_facts import LoginFacts, facts_of
from tinymagic.widgets.models.panel_model import PanelModel, quoted
from tinymagic.widgets.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.workspace import Workspace
