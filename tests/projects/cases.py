"""What the tests send to the projects, and what they ask besides the numbers of `expected`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import events

if TYPE_CHECKING:
    from collections.abc import Callable

#: What is sent to the Data Sources of each project: through the Events API, except where a file is named.
SENT: dict[str, dict[str, Callable[[], list[dict[str, Any]]]]] = {
    "web_analytics": {"analytics_events": lambda: events.web(3000)},
    "logs_explorer": {"logs": lambda: events.logs(3000)},
    "ecommerce": {
        "products": events.products,
        "customers": events.customers,
        "orders": lambda: events.orders(1500),
        "storefront_events": lambda: events.storefront(800),
    },
    "iot": {"sensors": events.sensors, "packets": lambda: events.packets(4000)},
    "leaderboard": {"players": events.players, "scores": lambda: events.scores(2500)},
    "odd_bits_classic": {"kinds": events.kinds, "measures": lambda: events.measures(600)},
    "odd_bits_forward": {"visits": lambda: events.visits(700)},
    "sql_gallery": {
        "kinds": lambda: [{"kind": kind, "label": kind.upper()} for kind in "abc"],
        "events": lambda: events.few(30),
    },
}
AS_CSV = {"customers", "sensors", "kinds"}
AS_NDJSON_FILE = {"products", "players", "storefront_events"}

#: Calls that have to fail, by project: endpoint, parameters, status, part of the answer.
REFUSALS = [
    ("ecommerce", "partner_export", {"strict": "1"}, 418, "partner is missing"),
    ("iot", "sensor_timeseries", {"step": "week"}, 400, "step must be minute, hour or day"),
    ("leaderboard", "player_rank", {}, 404, "which player?"),
    ("leaderboard", "top_by", {"aggregate": "groupArray"}, 400, "aggregate must be"),
    ("logs_explorer", "search_logs", {"page": "two"}, 400, "Error validating 'two' to type Int32"),
    ("odd_bits_classic", "from_table", {"source": "system.tables"}, 400, "unknown source"),
    ("web_analytics", "kpis", {"date_from": "yesterday", "date_to": "2026-03-01"}, 400, "invalid date format"),
]

#: A rollup, and the same numbers from the rows below it.
ROLLUPS = [
    (
        "web_analytics",
        "SELECT date, pathname, uniqMerge(visits), countMerge(hits) FROM analytics_pages_mv GROUP BY ALL ORDER BY ALL",
        "SELECT toDate(timestamp), pathname, uniq(session_id), count() FROM analytics_hits GROUP BY ALL ORDER BY ALL",
    ),
    (
        "logs_explorer",
        "SELECT minute, service, level, sum(lines) FROM logs_per_minute GROUP BY ALL ORDER BY ALL",
        "SELECT toStartOfMinute(timestamp) AS minute, service, level, count() FROM logs GROUP BY ALL ORDER BY ALL",
    ),
    (
        "ecommerce",
        "SELECT sku, sum(units), uniqExactMerge(buyers) FROM sales_per_day GROUP BY ALL ORDER BY ALL",
        (
            "SELECT sku, sum(n), uniqExact(customer_id) "
            "FROM orders ARRAY JOIN skus AS sku, quantities AS n GROUP BY 1 ORDER BY 1"
        ),
    ),
    (
        "iot",
        (
            "SELECT site, metric, countMerge(readings), min(low), max(high) "
            "FROM readings_per_hour GROUP BY ALL ORDER BY ALL"
        ),
        "SELECT site, metric, count(), min(value), max(value) FROM readings GROUP BY ALL ORDER BY ALL",
    ),
    (
        "leaderboard",
        "SELECT item, sum(times), sum(wins) FROM item_totals GROUP BY ALL ORDER BY ALL",
        "SELECT item, count(), sum(won) FROM scores ARRAY JOIN items AS item GROUP BY ALL ORDER BY ALL",
    ),
    (
        "odd_bits_classic",
        "SELECT kind, max(at) FROM measures_latest FINAL GROUP BY ALL ORDER BY ALL",
        "SELECT kind, max(at) FROM measures GROUP BY ALL ORDER BY ALL",
    ),
]

#: Copy Pipes: parameters, target, whether a run replaces, rows of a run.
COPIES: list[tuple[str, str, dict[str, str], str, bool, int]] = [
    ("ecommerce", "refresh_revenue_by_country", {}, "revenue_by_country", True, 5),
    ("ecommerce", "snapshot_stock", {}, "stock_snapshots", False, 20),
    ("odd_bits_classic", "archive", {"kind": "a"}, "measure_archive", False, 152),
    ("odd_bits_forward", "report", {}, "museum_report", True, 3),
]

#: Rows of the views of the gallery whose SQL does not group, for thirty events.
VIEW_ROWS = {"plain": 30, "implicit": 30, "join": 30, "arrayjoin": 60, "union": 60, "cte": 23, "nodes": 27, "two": 60}
