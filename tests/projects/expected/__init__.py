"""What the endpoints of the projects have to answer, computed in Python from the events that were sent.

Nothing here asks the server: each check names a project, an endpoint, its parameters, and the rows that follow from
`events`. Numbers that ClickHouse computes in floating point are compared with a tolerance.
"""

from __future__ import annotations

from . import ecommerce, iot, leaderboard, logs_explorer, odd_bits, web_analytics
from .check import Check, same

__all__ = ["CHECKS", "Check", "same"]

#: By project.
CHECKS: dict[str, list[Check]] = {
    **web_analytics.CHECKS,
    **logs_explorer.CHECKS,
    **ecommerce.CHECKS,
    **iot.CHECKS,
    **leaderboard.CHECKS,
    **odd_bits.CHECKS,
}
