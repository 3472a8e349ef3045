"""The families of ClickHouse types, one module each. Importing this package registers all of them."""

from __future__ import annotations

from tinymagic.frames.families import (
    containers,
    dates,
    documents,
    enums,
    geometry,
    identifiers,
    modifiers,
    numbers,
    text,
    times,
)

__all__ = [
    "containers",
    "dates",
    "documents",
    "enums",
    "geometry",
    "identifiers",
    "modifiers",
    "numbers",
    "text",
    "times",
]
