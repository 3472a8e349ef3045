"""What the endpoints of the projects have to answer, computed in Python from the events that were sent.

Nothing here asks the server: each check names a project, an endpoint, its parameters, and the rows that follow from
`events`. Numbers that ClickHouse computes in floating point are compared with a tolerance.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, Any]
Data = dict[str, list[Row]]


@dataclass(frozen=True)
class Check:
    """One call of an endpoint and the rows it has to give.

    Attributes:
        endpoint: name of the Pipe.
        parameters: of the request.
        rows: makes the expected rows from the events that were sent, by Data Source.
    """

    endpoint: str
    rows: Callable[[Data], list[Row]]
    parameters: dict[str, str] = field(default_factory=dict)


def seconds(text: str) -> datetime:
    """Return a time of an event."""
    return datetime.strptime(text[:19], "%Y-%m-%d %H:%M:%S")


def same(found: Any, wanted: Any) -> bool:
    """Say whether two values of rows are the same, numbers within a millionth."""
    if isinstance(wanted, dict):
        return (
            isinstance(found, dict)
            and wanted.keys() <= found.keys()
            and all(same(found[key], value) for key, value in wanted.items())
        )
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    if isinstance(wanted, float) or isinstance(found, float):
        return found is not None and wanted is not None and math.isclose(found, wanted, rel_tol=1e-6, abs_tol=1e-6)
    return bool(found == wanted)


# --- web_analytics -------------------------------------------------------------------------------------------------

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
    last = datetime(2026, 3, 5, 12, 30)
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


# --- logs_explorer -------------------------------------------------------------------------------------------------


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


# --- ecommerce -----------------------------------------------------------------------------------------------------


def total_of(order: Row) -> float:
    """Return what an order costs."""
    return float(sum(item["quantity"] * item["price"] for item in order["items"]))


def revenue_by_category(data: Data) -> list[Row]:
    """Return units and revenue of one week by category."""
    categories = {row["sku"]: row["category"] for row in data["products"]}
    units: Counter[str] = Counter()
    revenue: dict[str, float] = defaultdict(float)
    for order in data["orders"]:
        if "2026-03-02" <= order["created_at"][:10] <= "2026-03-08":
            for item in order["items"]:
                units[categories[item["sku"]]] += item["quantity"]
                revenue[categories[item["sku"]]] += item["quantity"] * item["price"]
    rows = [{"category": key, "units": units[key], "revenue": round(revenue[key], 2)} for key in units]
    return sorted(rows, key=lambda row: -row["revenue"])


def top_products(data: Data) -> list[Row]:
    """Return the three products of which most was sold."""
    units: Counter[str] = Counter()
    buyers = defaultdict(set)
    for order in data["orders"]:
        for item in order["items"]:
            units[item["sku"]] += item["quantity"]
            buyers[item["sku"]].add(order["customer"]["id"])
    best = sorted(units, key=lambda sku: (-units[sku], sku))[:3]
    return [{"sku": sku, "units": units[sku], "buyers": len(buyers[sku])} for sku in best]


def customer_orders(data: Data) -> list[Row]:
    """Return large orders of three customers that did not come by telephone."""
    countries = {row["customer_id"]: row["country"] for row in data["customers"]}
    rows = [
        {
            "order_id": order["order_id"],
            "customer_id": order["customer"]["id"],
            "country": countries[order["customer"]["id"]],
            "lines": len(order["items"]),
            "total": round(total_of(order), 2),
            "coupon": order.get("coupon"),
        }
        for order in sorted(data["orders"], key=lambda order: (order["created_at"], order["order_id"]))
        if order["customer"]["id"] in {3, 7, 11} and total_of(order) >= 200 and order.get("channel") != "phone"
    ]
    return rows[:50]


def funnel(data: Data) -> list[Row]:
    """Return how many visitors reached each step within an hour of the first one."""
    times: dict[str, list[datetime]] = defaultdict(list)
    for row in data["storefront_events"]:
        times[row["visitor"]].append(seconds(row["at"]))
    levels = [sum(at <= visit[0] + timedelta(hours=1) for at in visit) for visit in times.values()]
    names = ["view", "cart", "checkout", "purchase"]
    return [
        {"step": step, "name": name, "visitors": sum(level >= step for level in levels)}
        for step, name in enumerate(names, 1)
    ]


def country_ranking(data: Data) -> list[Row]:
    """Return countries by revenue."""
    countries = {row["customer_id"]: row["country"] for row in data["customers"]}
    orders: Counter[str] = Counter()
    revenue: dict[str, float] = defaultdict(float)
    for order in data["orders"]:
        country = countries[order["customer"]["id"]]
        orders[country] += 1
        revenue[country] += total_of(order)
    best = sorted(revenue, key=lambda country: -revenue[country])
    return [
        {"country": key, "orders": orders[key], "revenue": round(revenue[key], 2), "place": place}
        for place, key in enumerate(best, 1)
    ]


def orders_per_hour(data: Data) -> list[Row]:
    """Return the orders of a day by hour; hours between the first and the last one are filled."""
    chosen = [order for order in data["orders"] if order["created_at"].startswith("2026-03-04")]
    hours = sorted({int(order["created_at"][11:13]) for order in chosen})
    rows = []
    for hour in range(hours[0], hours[-1] + 1):
        of_hour = [order for order in chosen if int(order["created_at"][11:13]) == hour]
        channels = Counter(order.get("channel", "web") for order in of_hour)
        rows.append(
            {
                "hour": f"2026-03-04 {hour:02d}:00:00",
                "orders": len(of_hour),
                "orders_web": channels["web"],
                "orders_phone": channels["phone"],
            }
        )
    return rows


def stock(data: Data) -> list[Row]:
    """Return what the shop has of one category, by the newest row of each product."""
    now = {row["sku"]: row for row in sorted(data["products"], key=lambda row: row["updated_at"])}
    games = [row for row in now.values() if row["category"] == "games"]
    worth = sum(row["stock"] * row["price"] for row in games)
    return [{"category": "games", "pieces": sum(row["stock"] for row in games), "worth": round(worth, 2)}]


def partner_orders(data: Data) -> list[Row]:
    """Return the orders with the coupon of the partner."""
    chosen = sorted(order["order_id"] for order in data["orders"] if order.get("coupon") == "PARTNER")
    return [{"order_id": name, "partner": "it's us"} for name in chosen]


# --- iot -----------------------------------------------------------------------------------------------------------


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


# --- leaderboard ---------------------------------------------------------------------------------------------------


def leaderboard(data: Data) -> list[Row]:
    """Return the five best players of ranked matches."""
    names = {row["player_id"]: row["name"] for row in sorted(data["players"], key=lambda row: row["updated_at"])}
    of_mode = defaultdict(list)
    for row in data["scores"]:
        if row["match"]["mode"] == "ranked":
            of_mode[row["player_id"]].append(row)
    best = sorted((-max(row["points"] for row in rows), player) for player, rows in of_mode.items())
    return [
        {
            "name": names[player],
            "best": -points,
            "matches": len(of_mode[player]),
            "wins": sum(row["won"] for row in of_mode[player]),
        }
        for points, player in best[:5]
    ]


def player_rank(data: Data) -> list[Row]:
    """Return the place of a player by the sum of the points."""
    points: Counter[int] = Counter()
    for row in data["scores"]:
        points[row["player_id"]] += row["points"]
    place = 1 + sum(other > points[12] for other in points.values())
    return [{"player_id": 12, "points": points[12], "place": place, "players": len(points)}]


def player_history(data: Data) -> list[Row]:
    """Return the last results of a player and the sum up to each."""
    rows, running = [], 0
    for row in sorted((row for row in data["scores"] if row["player_id"] == 4), key=lambda row: row["at"]):
        running += row["points"]
        rows.append({"at": row["at"], "kills": row["stats"]["kills"], "running": running})
    return rows[::-1][:7]


def top_by(data: Data) -> list[Row]:
    """Return the players with the most kills on the mean."""
    kills = defaultdict(list)
    for row in data["scores"]:
        kills[row["player_id"]].append(row["stats"]["kills"])
    means = sorted((-sum(of) / len(of), player) for player, of in kills.items())
    return [{"player_id": player, "total": -mean} for mean, player in means[:5]]


def season(data: Data) -> list[Row]:
    """Return the winner of each week and mode."""
    points: Counter[tuple[str, str, int]] = Counter()
    for row in data["scores"]:
        at = seconds(row["at"])
        week = f"{at - timedelta(days=at.weekday()):%Y-%m-%d}"
        points[row["match"]["mode"], week, row["player_id"]] += row["points"]
    groups = defaultdict(list)
    for (mode, week, player), of in points.items():
        groups[mode, week].append((of, player))
    return [
        {"mode": mode, "week": week, "winner": max(of)[1], "winner_points": max(of)[0], "players": len(of)}
        for (mode, week), of in sorted(groups.items())
    ]


def favourite_items(data: Data) -> list[Row]:
    """Return how often an item was taken and how often it won."""
    wins = defaultdict(list)
    for row in data["scores"]:
        for item in row["items"]:
            wins[item["name"]].append(row["won"])
    rows = [{"item": key, "times": len(of), "win_rate": round(sum(of) / len(of), 4)} for key, of in wins.items()]
    return sorted(rows, key=lambda row: (-row["times"], row["item"]))


def matches_per_day(data: Data) -> list[Row]:
    """Return matches and players by day and mode."""
    groups = defaultdict(list)
    for row in data["scores"]:
        groups[row["at"][:10], row["match"]["mode"]].append(row["player_id"])
    return [
        {"day": day, "mode": mode, "matches": len(of), "players": len(set(of))}
        for (day, mode), of in sorted(groups.items())
    ]


# --- odd bits ------------------------------------------------------------------------------------------------------


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
    "ecommerce": [
        Check("revenue_by_category", revenue_by_category, {"date_from": "2026-03-02", "date_to": "2026-03-08"}),
        Check("top_products", top_products, {"by": "units", "n": "3"}),
        Check(
            "customer_orders", customer_orders, {"customers": "3,7,11", "min_total": "200", "without_channels": "phone"}
        ),
        Check("conversion_funnel", funnel),
        Check("country_ranking", country_ranking),
        Check("orders_per_hour", orders_per_hour, {"day": "2026-03-04", "channels": "web, phone"}),
        Check("stock_history", stock, {"category": "games"}),
        Check("partner_export", partner_orders, {"key": "open sesame", "partner": "it's us"}),
        Check("partner_export", lambda _: [], {"key": "guess"}),
    ],
    "iot": [
        Check("sensor_timeseries", timeseries, {"sensor_id": "s-004", "metric": "humidity"}),
        Check("sensor_latest", latest, {"site": "osaka", "metrics": "pressure,humidity"}),
        Check("site_overview", site_overview),
        Check("anomalies", anomalies, {"readings_before": "10", "sigmas": "5"}),
        Check("uptime", uptime, {"day": "2026-03-02"}),
        Check("battery_report", batteries, {"only_low": "true", "threshold": "60"}),
    ],
    "leaderboard": [
        Check("leaderboard", leaderboard, {"mode": "ranked", "top": "5"}),
        Check("player_rank", player_rank, {"player_id": "12"}),
        Check("player_history", player_history, {"player_id": "4", "fields": "at, kills", "n": "7"}),
        Check("top_by", top_by, {"aggregate": "avg", "measure": "kills"}),
        Check("season", season),
        Check("favourite_items", favourite_items),
        Check("matches_per_day_api", matches_per_day),
    ],
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
