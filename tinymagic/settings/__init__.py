"""Settings: where host and token come from. Nothing here sends a request. Saved logins are in `tinymagic.profiles`.

| module | question it answers |
|---|---|
| `resolution` | which of all settings wins? |
| `folder_files` | what do ``.tinyb`` and ``.env`` say? |
"""

from __future__ import annotations

from tinymagic.settings.resolution import NOTHING_CONFIGURED, Connection, Setting, resolve, survey

__all__ = ["NOTHING_CONFIGURED", "Connection", "Setting", "resolve", "survey"]
