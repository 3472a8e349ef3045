"""Rows of the endpoints about the odd bits, computed from the events."""

from __future__ import annotations

from collections import Counter, defaultdict

from .check import Check, Data, Row


def chained(data: Data) -> list[Row]:
    """Return the sums of one day with the names of the kinds."""
    sums: Counter[str] = Counter()
    for row in data["measures"]:
        if row["at"].startswith("2026-03-02"):
            sums[f"Kind, {row['kind'].upper()}"] += row["amount"]
    return [{"label": key, "total": n} for key, n in sorted(sums.items(), key=lambda item: (-item[1], item[0]))]


def loops(data: Data) -> list[Row]:
    """Return the sums of two kinds and of both."""
    sums = {f"sum_{kind}": sum(row["amount"] for row in data["measures"] if row["kind"] == kind) for kind in "bd"}
    return [{**sums, "everything": sum(sums.values())}]


def filtered(data: Data) -> list[Row]:
    """Return how many measures of each kind are above fifty."""
    times = Counter(row["kind"] for row in data["measures"] if row["amount"] > 50)
    return [{"kind": kind, "n": n} for kind, n in sorted(times.items())]


def visits(data: Data) -> list[Row]:
    """Return visits and income by museum."""
    income: dict[str, list[float]] = defaultdict(list)
    for row in data["visits"]:
        income[row["museum"]["name"]].append(row["price"])
    rows = [{"what": key, "visits": len(of), "income": round(sum(of), 2)} for key, of in income.items()]
    return sorted(rows, key=lambda row: (-row["income"], row["what"]))


def visits_of_one(data: Data) -> list[Row]:
    """Return the visits of a museum by country; the parameter goes through the Pipe below."""
    times = Counter(row["country"] or "??" for row in data["visits"] if row["museum"]["name"] == "Uffizi")
    rows = [{"what": key, "visits": n} for key, n in times.items()]
    return sorted(rows, key=lambda row: (-row["visits"], row["what"]))


def report(data: Data) -> list[Row]:
    """Return the visits by museum as the copy wrote them."""
    times = Counter(row["museum"]["name"] for row in data["visits"])
    return [{"museum": key, "visits": n} for key, n in sorted(times.items(), key=lambda item: (-item[1], item[0]))]


CHECKS: dict[str, list[Check]] = {
    "odd_bits_classic": [
        Check("chained", chained, {"day": "2026-03-02", "at_least": "-100000"}),
        Check("loops", loops, {"kinds": "b, d"}),
        Check("filters", filtered, {"rules": '[{"column": "amount", "above": 50}]'}),
    ],
    "odd_bits_forward": [
        Check("visits_api", visits, {"order_by": "income"}),
        Check("visits_api", visits_of_one, {"museum": "Uffizi", "by": "country"}),
        Check("report_api", report),
    ],
}
