"""Rows of the endpoints about lines of logs, computed from the events."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from .check import Check, Data, Row, seconds

if TYPE_CHECKING:
    from collections.abc import Callable


def found_logs(data: Data, **wanted: Any) -> list[Row]:
    """Return lines whose columns are among the wanted ones, newest first."""
    chosen = [row for row in data["logs"] if all(row[key] in values for key, values in wanted.items())]
    return sorted(sorted(chosen, key=lambda row: row["request_id"]), key=lambda row: row["timestamp"], reverse=True)


def page_of_logs(data: Data) -> list[Row]:
    """Return the third page of errors and warnings of two services."""
    rows = found_logs(data, level=["ERROR", "WARN"], service=["api", "web"])[50:75]
    return [
        {key: row[key] for key in ("timestamp", "request_id", "level", "service", "message")}
        | {"status_code": row["http"]["status"], "path": row["http"]["path"]}
        for row in rows
    ]


def searched(*words: str) -> Callable[[Data], list[Row]]:
    """Return what makes the ids of lines whose message has the words in this order."""

    def rows(data: Data) -> list[Row]:
        listed = []
        for row in found_logs(data):
            rest = row["message"].lower()
            for word in words:
                _, met, rest = rest.partition(word)
                if not met:
                    break
            else:
                listed.append({"request_id": row["request_id"]})
        return listed[:100]

    return rows


def histogram(data: Data) -> list[Row]:
    """Return lines and errors in steps of six hours of the first two days."""
    total: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for row in data["logs"]:
        if row["timestamp"] < "2026-03-03":
            at = seconds(row["timestamp"])
            bucket = f"{at.replace(hour=at.hour // 6 * 6, minute=0, second=0):%Y-%m-%d %H:%M:%S}"
            total[bucket] += 1
            errors[bucket] += row["level"] == "ERROR"
    return [
        {"bucket": key, "total": total[key], "errors": errors[key], "error_rate": round(errors[key] / total[key], 4)}
        for key in sorted(total)
    ]


def facets(data: Data) -> list[Row]:
    """Return numbers of lines by status."""
    times = Counter(str(row["http"]["status"]) for row in data["logs"])
    return [{"value": key, "lines": n} for key, n in sorted(times.items(), key=lambda item: (-item[1], item[0]))]


def slow_paths(data: Data) -> list[Row]:
    """Return mean and median response time of the paths."""
    by_path = defaultdict(list)
    for row in data["logs"]:
        by_path[row["http"]["path"]].append(row["http"]["response_time"])
    everything = [time for times in by_path.values() for time in times]
    rows = [
        {
            "path": path,
            "requests": len(times),
            "level_ms": sorted(times)[len(times) // 2],
            "mean_ms": sum(times) / len(times),
            "mean_of_all": sum(everything) / len(everything),
        }
        for path, times in by_path.items()
    ]
    return sorted(rows, key=lambda row: (-row["level_ms"], row["path"]))


def lines_per_service(data: Data) -> list[Row]:
    """Return sums of the errors of each service."""
    rows: dict[str, Row] = {}
    for row in data["logs"]:
        if row["level"] in {"ERROR", "DEBUG"}:
            sums = rows.setdefault(row["service"], {"service": row["service"], "lines": 0, "response_time_sum": 0})
            sums["lines"] += 1
            sums["response_time_sum"] += row["http"]["response_time"]
    return [rows[key] for key in sorted(rows)]


CHECKS: dict[str, list[Check]] = {
    "logs_explorer": [
        Check(
            "search_logs", page_of_logs, {"level": "ERROR,WARN", "service": "api,web", "page": "2", "page_size": "25"}
        ),
        Check("search_logs", searched("payment", ":", "card"), {"search": "Payment%:%card"}),
        Check("search_logs", searched("it's"), {"search": "it's"}),
        Check(
            "logs_histogram",
            histogram,
            {"start_date": "2026-03-01 00:00:00", "end_date": "2026-03-03 00:00:00", "bucket_minutes": "360"},
        ),
        Check("log_facets", facets, {"facet": "status_code"}),
        Check("slow_paths", slow_paths, {"q_level": "0.5"}),
        Check("lines_per_service", lines_per_service, {"levels": "ERROR,DEBUG"}),
    ],
}
