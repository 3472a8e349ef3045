"""Shared and exclusive locks by name."""

from __future__ import annotations

import threading

from tinymagic.local.locks import SharedLocks


def test_shared_holders_overlap_and_exclusive_ones_do_not() -> None:
    """Two sharers hold a key at once; one who wants it alone waits for both, and other keys are not touched."""
    locks = SharedLocks()
    order: list[str] = []

    def alone() -> None:
        with locks.exclusive("a"):
            order.append("alone")

    with locks.shared("a"), locks.exclusive("b"):
        with locks.shared("a"):
            thread = threading.Thread(target=alone)
            thread.start()
            thread.join(0.05)
            assert thread.is_alive()
        order.append("shared")
    thread.join(5)
    assert order == ["shared", "alone"]
    with locks.exclusive("a"):
        order.append("free again")
    assert order[-1] == "free again"
