"""Rows of the endpoints about sensors, computed from the events."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

from .check import Check, Data, Row


def valid(data: Data) -> list[Row]:
    """Return the readings that are accepted."""
    return [row for row in data["packets"] if -100 <= row["value"] <= 2000]


def timeseries(data: Data) -> list[Row]:
    """Return low, high, mean of each hour of one sensor."""
    by_hour = defaultdict(list)
    for row in valid(data):
        if row["sensor"]["id"] == "s-004" and row["metric"] == "humidity":
            by_hour[row["received_at"][:13] + ":00:00"].append(row["value"])
    return [
        {"t": hour, "low": min(of), "high": max(of), "mean": sum(of) / len(of), "readings": len(of)}
        for hour, of in sorted(by_hour.items())
    ]


def latest(data: Data) -> list[Row]:
    """Return the last reading of each sensor of a site."""
    models = {row["sensor_id"]: row for row in data["sensors"]}
    last = {
        (row["sensor"]["id"], row["metric"]): row for row in sorted(valid(data), key=lambda row: row["received_at"])
    }
    return [
        {
            "sensor_id": sensor,
            "model": models[sensor]["model"],
            "metric": metric,
            "last_at": row["received_at"],
            "value": row["value"],
        }
        for (sensor, metric), row in sorted(last.items())
        if models[sensor]["site"] == "osaka" and metric in {"pressure", "humidity"}
    ]


def site_overview(data: Data) -> list[Row]:
    """Return low, high, mean by site and metric, from the states of states."""
    groups = defaultdict(list)
    for row in valid(data):
        groups[row["sensor"]["site"], row["metric"]].append(row["value"])
    return [
        {
            "site": site,
            "metric": metric,
            "low": min(of),
            "high": max(of),
            "mean": round(sum(of) / len(of), 6),
            "readings": len(of),
        }
        for (site, metric), of in sorted(groups.items())
    ]


def anomalies(data: Data) -> list[Row]:
    """Return readings further than five deviations from the ten before."""
    series = defaultdict(list)
    for row in sorted(valid(data), key=lambda row: row["received_at"]):
        if row["metric"] == "temperature":
            series[row["sensor"]["id"]].append(row)
    rows = []
    for sensor, of in series.items():
        for number in range(10, len(of)):
            before = [row["value"] for row in of[number - 10 : number]]
            mean = sum(before) / 10
            deviation = math.sqrt(sum((value - mean) ** 2 for value in before) / 10)
            value = of[number]["value"]
            if abs(value - mean) > 5 * deviation:
                rows.append(
                    {
                        "at": of[number]["received_at"],
                        "sensor_id": sensor,
                        "value": value,
                        "usual": round(mean, 4),
                        "jump": value - before[-1],
                    }
                )
    return sorted(rows, key=lambda row: (row["at"], row["sensor_id"]))[:200]


def uptime(data: Data) -> list[Row]:
    """Return the number of minutes of a day in which each sensor was heard."""
    minutes = defaultdict(set)
    for row in valid(data):
        if row["received_at"].startswith("2026-03-02"):
            minutes[row["sensor"]["id"]].add(row["received_at"][:16])
    names = sorted(row["sensor_id"] for row in data["sensors"])
    return [{"sensor_id": name, "minutes": len(minutes[name])} for name in names]


def batteries(data: Data) -> list[Row]:
    """Return readings with a low battery by site."""
    times = Counter(row["sensor"]["site"] for row in valid(data) if row["battery"] is not None and row["battery"] < 60)
    lowest = {row["sensor"]["site"]: 12 for row in valid(data)}
    return [{"site": site, "readings": times[site], "unknown": 0, "lowest": lowest[site]} for site in sorted(times)]


CHECKS: dict[str, list[Check]] = {
    "iot": [
        Check("sensor_timeseries", timeseries, {"sensor_id": "s-004", "metric": "humidity"}),
        Check("sensor_latest", latest, {"site": "osaka", "metrics": "pressure,humidity"}),
        Check("site_overview", site_overview),
        Check("anomalies", anomalies, {"readings_before": "10", "sigmas": "5"}),
        Check("uptime", uptime, {"day": "2026-03-02"}),
        Check("battery_report", batteries, {"only_low": "true", "threshold": "60"}),
    ],
}
