"""Rows of the endpoints about a shop, computed from the events."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta

from .check import Check, Data, Row, seconds


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


CHECKS: dict[str, list[Check]] = {
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
}
