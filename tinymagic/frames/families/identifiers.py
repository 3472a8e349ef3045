# ruff: noqa: D102, ARG002 - what the methods promise is written once, at ClickHouseType
"""UUID, IPv4 and IPv6: object columns of ``uuid.UUID``, ``ipaddress.IPv4Address`` and ``ipaddress.IPv6Address``."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tinymagic.frames.arrow_buffers import bytes_cells
from tinymagic.frames.base import ClickHouseType, Notes, register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.frames.syntax import Item


class Uuid(ClickHouseType):
    """A UUID; Parquet carries it as 16 bytes in the order of the text."""

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:
        return [None if value is None else UUID(value) for value in values]

    def cells_from_arrow(self, array: Any, notes: Notes) -> list[Any]:
        return [None if data is None else UUID(bytes=data) for data in bytes_cells(array)]


class Ipv4(ClickHouseType):
    """An IPv4 address; Parquet shows it as a plain uint32."""

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:
        return [None if value is None else IPv4Address(value) for value in values]

    def cells_from_arrow(self, array: Any, notes: Notes) -> list[Any]:
        return [None if number is None else IPv4Address(number) for number in array.to_pylist()]


class Ipv6(ClickHouseType):
    """An IPv6 address; Parquet carries its 16 bytes, the highest first."""

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:
        return [None if value is None else IPv6Address(value) for value in values]

    def cells_from_arrow(self, array: Any, notes: Notes) -> list[Any]:
        return [None if data is None else IPv6Address(data) for data in bytes_cells(array)]


@register("UUID")
def _uuid(item: Item) -> ClickHouseType:
    return Uuid(str(item))


@register("IPv4")
def _ipv4(item: Item) -> ClickHouseType:
    return Ipv4(str(item))


@register("IPv6")
def _ipv6(item: Item) -> ClickHouseType:
    return Ipv6(str(item))
