"""Rows of the endpoints about a site's visits, computed from the events."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .check import Check, Data, Row, seconds

if TYPE_CHECKING:
    from collections.abc import Callable


RANGE = {"date_from": "2026-03-03", "date_to": "2026-03-09"}


def device_and_browser(agent: str) -> tuple[str, str]:
    """Tell device and browser as the Pipe does, from parts of the user agent."""
    agent = agent.lower()
    device = next(
        (
            name
            for word, name in [("curl", "bot"), ("android", "mobile-android"), ("iphone", "mobile-ios")]
            if word in agent
        ),
        "desktop",
    )
    browser = next((name for name in ("firefox", "chrome", "safari") if name in agent), "Unknown")
    return device, browser


def hits(data: Data) -> list[Row]:
    """Return page hits with what their payload says, without robots."""
    found = []
    for row in data["analytics_events"]:
        payload = json.loads(row["payload"])
        device, browser = device_and_browser(payload["user-agent"])
        if row["action"] == "page_hit" and device != "bot":
            found.append(
                {
                    "at": seconds(row["timestamp"]),
                    "day": row["timestamp"][:10],
                    "session": row["session_id"],
                    "device": device,
                    "browser": browser,
                    "location": payload["location"],
                    "pathname": payload["pathname"],
                    "referrer": urlsplit(payload["referrer"]).netloc,
                }
            )
    return found


def top(column: str, drop: str | None = None) -> Callable[[Data], list[Row]]:
    """Return what makes the rows of a ``top_`` endpoint over `RANGE`."""

    def rows(data: Data) -> list[Row]:
        visits: dict[str, set[str]] = defaultdict(set)
        times: Counter[str] = Counter()
        for hit in hits(data):
            if RANGE["date_from"] <= hit["day"] <= RANGE["date_to"] and hit[column] != drop:
                visits[hit[column]].add(hit["session"])
                times[hit[column]] += 1
        listed = [{column: key, "visits": len(visits[key]), "hits": times[key]} for key in times]
        return sorted(listed, key=lambda row: (-row["visits"], row[column]))

    return rows


def kpis_by_day(data: Data) -> list[Row]:
    """Return visits, page views, bounces and lengths of sessions for each day of `RANGE`."""
    by_day: dict[str, dict[str, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    for hit in hits(data):
        by_day[hit["day"]][hit["session"]].append(hit["at"])
    rows = []
    for number in range(3, 10):
        day = f"2026-03-{number:02d}"
        sessions = by_day[day].values()
        lengths = [(max(times) - min(times)).total_seconds() for times in sessions]
        rows.append(
            {
                "date": day,
                "visits": len(sessions),
                "pageviews": sum(map(len, sessions)),
                "bounce_rate": sum(length == 0 for length in lengths) / len(lengths),
                "avg_session_sec": sum(lengths) / len(lengths),
            }
        )
    return rows


def kpis_by_hour(data: Data) -> list[Row]:
    """Return visits and page views for each hour of a day, also for those without any."""
    chosen = [hit for hit in hits(data) if hit["day"] == "2026-03-05"]
    rows = []
    for hour in range(24):
        of_hour = [hit["session"] for hit in chosen if hit["at"].hour == hour]
        rows.append({"date": f"2026-03-05 {hour:02d}:00:00", "visits": len(set(of_hour)), "pageviews": len(of_hour)})
    return rows


def trend(data: Data) -> list[Row]:
    """Return visits of each minute of half an hour."""
    last = datetime(2026, 3, 5, 12, 30, tzinfo=timezone.utc)
    rows = []
    for back in range(29, -1, -1):
        minute = last - timedelta(minutes=back)
        seen = {hit["session"] for hit in hits(data) if hit["at"].replace(second=0) == minute}
        rows.append({"t": f"{minute:%Y-%m-%d %H:%M:%S}", "visits": len(seen)})
    return rows


def plans(data: Data) -> list[Row]:
    """Return how often which plan was bought."""
    times: Counter[str] = Counter()
    sessions = defaultdict(set)
    for row in data["analytics_events"]:
        if row["action"] == "buy":
            plan = json.loads(row["payload"])["plan"]
            times[plan] += 1
            sessions[plan].add(row["session_id"])
    return [
        {"action": "buy", "value": plan, "times": number, "sessions": len(sessions[plan])}
        for plan, number in sorted(times.items(), key=lambda item: (-item[1], item[0]))
    ]


CHECKS: dict[str, list[Check]] = {
    "web_analytics": [
        Check("kpis", kpis_by_day, RANGE),
        Check("kpis", kpis_by_hour, {"date_from": "2026-03-05", "date_to": "2026-03-05"}),
        Check("top_pages", top("pathname"), RANGE),
        Check("top_sources", top("referrer", "shop.example"), RANGE),
        Check("top_locations", top("location"), RANGE),
        Check("top_browsers", top("browser"), RANGE),
        Check("top_devices", top("device"), RANGE),
        Check("trend", trend, {"at": "2026-03-05 12:30:15"}),
        Check("actions", plans, {"field": "plan", "action": "buy"}),
    ],
}
