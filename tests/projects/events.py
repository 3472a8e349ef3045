"""Events for the projects, the same ones for the same number: no clock, one seed per kind.

``python tests/projects/events.py`` writes the fixtures of all projects; a test asks the functions for thousands.
"""

from __future__ import annotations

import csv
import io
import json
import random
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

Row = dict[str, Any]

FOLDER = Path(__file__).parent
START = datetime(2026, 3, 1, tzinfo=timezone.utc)
DAYS = 14

BROWSERS = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0": ("desktop", "firefox"),
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0 Safari/537.36": (
        "desktop",
        "chrome",
    ),
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1": (
        "mobile-ios",
        "safari",
    ),
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/127.0 Mobile": ("mobile-android", "chrome"),
    "curl/8.5.0": ("bot", "Unknown"),
}
REFERRERS = ["https://www.search.example/", "https://news.example/item?id=1", "https://shop.example/", ""]
PAGES = ["/", "/pricing", "/blog/hello-world", "/docs", "/blog/it's-here"]
COUNTRIES = ["ES", "US", "DE", "JP", "BR"]


def text_of(at: datetime) -> str:
    """Return a time as ClickHouse reads it, in seconds."""
    return at.strftime("%Y-%m-%d %H:%M:%S")


def web(count: int) -> list[Row]:
    """Return hits and custom actions of a site over the days."""
    chance = random.Random(41)
    agents = list(BROWSERS)
    sessions = [
        (f"s{number:05d}", chance.choice(agents), chance.choice(COUNTRIES), chance.choice(REFERRERS))
        for number in range(max(count // 4, 5))
    ]
    rows = []
    for _ in range(count):
        session, agent, country, referrer = chance.choice(sessions)
        at = START + timedelta(seconds=chance.randrange(DAYS * 86400))
        page = chance.choice(PAGES)
        payload = {
            "user-agent": agent,
            "locale": "en-US",
            "location": country,
            "referrer": referrer,
            "pathname": page,
            "href": f"https://shop.example{page}",
        }
        action = "page_hit"
        if chance.random() < 0.1:
            action = chance.choice(["signup", "buy"])
            payload["plan"] = chance.choice(["free", "pro"])
        rows.append(
            {
                "timestamp": text_of(at),
                "session_id": session,
                "action": action,
                "version": "1",
                "payload": json.dumps(payload),
            }
        )
    return rows


def logs(count: int) -> list[Row]:
    """Return lines of logs with nested fields; the environment is missing in most of them."""
    chance = random.Random(42)
    messages = [
        "user logged in",
        "100% of quota used",
        "payment_failed: card",
        "timeout after 30s",
        "Cache MISS for it's",
    ]
    rows = []
    for number in range(count):
        at = START + timedelta(milliseconds=chance.randrange(DAYS * 86_400_000))
        level = chance.choices(["INFO", "WARN", "ERROR", "DEBUG"], [70, 15, 10, 5])[0]
        row: Row = {
            "timestamp": at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03d}",
            "request_id": f"r{number:06d}",
            "level": level,
            "service": chance.choice(["api", "web", "worker"]),
            "http": {
                "status": 500 if level == "ERROR" else chance.choice([200, 201, 404]),
                "response_time": chance.randrange(1, 2000),
                "method": chance.choice(["GET", "POST"]),
                "path": chance.choice(["/login", "/pay", "/items"]),
            },
            "message": chance.choice(messages),
            "labels": chance.sample(["blue", "green", "canary"], chance.randrange(3)),
        }
        if chance.random() < 0.2:
            row["environment"] = "staging"
        if chance.random() < 0.5:
            row["http"]["user_agent"] = "probe/1"
        rows.append(row)
    return rows


def products() -> list[Row]:
    """Return two states of each of twenty products; the second one counts."""
    chance = random.Random(43)
    rows = []
    for number in range(20):
        price = chance.randrange(100, 9999) / 100
        row = {
            "sku": f"P{number:03d}",
            "name": f"Product {number}",
            "category": ["books", "games", "tools", "toys"][number % 4],
            "price": price,
            "stock": chance.randrange(100),
            "updated_at": "2026-02-01 00:00:00",
        }
        rows.append(row)
        rows.append({**row, "stock": chance.randrange(100), "updated_at": "2026-02-20 00:00:00"})
    return rows


def customers() -> list[Row]:
    """Return fifty customers."""
    chance = random.Random(44)
    return [
        {
            "customer_id": number,
            "country": chance.choice(COUNTRIES),
            "segment": chance.choice(["new", "regular", "vip"]),
            "joined": f"2025-{chance.randrange(1, 13):02d}-01",
        }
        for number in range(1, 51)
    ]


def orders(count: int) -> list[Row]:
    """Return orders with one to four lines."""
    chance = random.Random(45)
    prices = {row["sku"]: row["price"] for row in products()}
    rows = []
    for number in range(count):
        at = START + timedelta(seconds=chance.randrange(DAYS * 86400))
        row: Row = {
            "order_id": f"o{number:05d}",
            "created_at": text_of(at),
            "customer": {"id": chance.randrange(1, 51)},
            "items": [
                {"sku": sku, "quantity": chance.randrange(1, 5), "price": prices[sku]}
                for sku in chance.sample(sorted(prices), chance.randrange(1, 5))
            ],
            "shipping": {"address": {"city": chance.choice(["Madrid", "Osaka", "Köln"])}},
        }
        if chance.random() < 0.5:
            row["channel"] = chance.choice(["app", "phone"])
        if chance.random() < 0.2:
            row["coupon"] = chance.choice(["PARTNER", "SPRING"])
        rows.append(row)
    return rows


def storefront(visitors: int) -> list[Row]:
    """Return the steps of visitors; some go back, some take longer than an hour for a step."""
    chance = random.Random(46)
    rows = []
    for number in range(visitors):
        at = START + timedelta(seconds=chance.randrange(DAYS * 86400))
        sku = f"P{chance.randrange(20):03d}"
        for event in ["view", "cart", "checkout", "purchase"][: chance.randrange(1, 5)]:
            rows.append({"at": text_of(at), "visitor": f"v{number:05d}", "event": event, "sku": sku})
            at += timedelta(seconds=chance.choice([5, 60, 600, 4000]))
    return rows


def sensors() -> list[Row]:
    """Return twelve sensors on three sites."""
    chance = random.Random(47)
    return [
        {
            "sensor_id": f"s-{number:03d}",
            "site": ["madrid", "osaka", "koeln"][number % 3],
            "model": chance.choice(["A1", "B2"]),
            "installed": "2025-05-05",
            "latitude": round(chance.uniform(35, 51), 3),
            "longitude": round(chance.uniform(-4, 136), 3),
        }
        for number in range(1, 13)
    ]


def packets(count: int) -> list[Row]:
    """Return readings of the sensors, a few of them impossible."""
    chance = random.Random(48)
    usual = {"temperature": 20.0, "humidity": 60.0, "pressure": 1013.0}
    places = {row["sensor_id"]: row["site"] for row in sensors()}
    moments = sorted(chance.sample(range(2 * 86_400_000), count))
    rows = []
    for moment in moments:
        at = START + timedelta(milliseconds=moment)
        sensor, metric = chance.choice(sorted(places)), chance.choice(sorted(usual))
        value = usual[metric] + chance.gauss(0, 1)
        if chance.random() < 0.01:
            value = chance.choice([-999.0, 99999.0])
        elif chance.random() < 0.01:
            value += 50
        rows.append(
            {
                "received_at": at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03d}",
                "sensor": {"id": sensor, "site": places[sensor]},
                "metric": metric,
                "value": round(value, 3),
                "battery": chance.choice([None, 100, 55, 12]),
            }
        )
    return rows


def players() -> list[Row]:
    """Return thirty players; every third has changed the name."""
    rows = []
    for number in range(1, 31):
        row = {
            "player_id": number,
            "name": f"player{number}",
            "country": COUNTRIES[number % 5],
            "created": "2026-01-01",
            "updated_at": "2026-01-01 00:00:00",
        }
        rows.append(row)
        if number % 3 == 0:
            rows.append({**row, "name": f"renamed{number}", "updated_at": "2026-02-01 00:00:00"})
    return rows


def scores(count: int) -> list[Row]:
    """Return results of players in matches."""
    chance = random.Random(49)
    rows = []
    for _ in range(count):
        at = START + timedelta(seconds=chance.randrange(DAYS * 86400))
        rows.append(
            {
                "at": text_of(at),
                "match": {
                    "id": str(uuid.UUID(int=chance.getrandbits(128))),
                    "mode": chance.choice(["ranked", "casual"]),
                },
                "player_id": chance.randrange(1, 31),
                "points": chance.randrange(-50, 1000),
                "stats": {"kills": chance.randrange(20), "deaths": chance.randrange(20)},
                "won": chance.random() < 0.5,
                "items": [{"name": name} for name in chance.sample(["sword", "bow", "shield"], chance.randrange(3))],
            }
        )
    return rows


def measures(count: int) -> list[Row]:
    """Return amounts of four kinds."""
    chance = random.Random(50)
    return [
        {
            "at": text_of(START + timedelta(seconds=chance.randrange(3 * 86400))),
            "kind": chance.choice("abcd"),
            "amount": chance.randrange(-20, 100),
            "ratio": chance.choice([None, 0.5, 0.25]),
            "extra": {"n": str(number)},
        }
        for number in range(count)
    ]


def kinds() -> list[Row]:
    """Return names of the kinds."""
    return [{"kind": kind, "label": f"Kind, {kind.upper()}", "weight": weight} for weight, kind in enumerate("abcd", 1)]


def visits(count: int) -> list[Row]:
    """Return visits to museums."""
    chance = random.Random(51)
    return [
        {
            "id": number,
            "at": text_of(START + timedelta(seconds=chance.randrange(DAYS * 86400))),
            "museum": {"name": chance.choice(["Prado", "Louvre", "Uffizi"])},
            "price": chance.choice([0, 12.5, 15]),
            "country": chance.choice([None, *COUNTRIES]),
        }
        for number in range(count)
    ]


def few(count: int) -> list[Row]:
    """Return events of three kinds for the gallery, an hour apart from each other in turns."""
    return [
        {
            "id": number,
            "ts": f"2026-03-0{1 + number % 3} {number % 10:02d}:00:00",
            "kind": "abc"[number % 3],
            "v": number / 2,
            "s": None if number % 2 else "x",
        }
        for number in range(count)
    ]


def ndjson(rows: list[Row]) -> str:
    """Return rows as NDJSON."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def csv_text(rows: list[Row]) -> str:
    """Return rows as CSV with a header."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def fixtures() -> dict[str, str]:
    """Return the text of each fixture by its path in the folder of the projects."""
    return {
        "web_analytics/fixtures/analytics_events.ndjson": ndjson(web(120)),
        "logs_explorer/datasources/fixtures/logs.ndjson": ndjson(logs(100)),
        "ecommerce/fixtures/products.ndjson": ndjson(products()),
        "ecommerce/fixtures/customers.csv": csv_text(customers()),
        "ecommerce/fixtures/orders.ndjson": ndjson(orders(60)),
        "ecommerce/fixtures/storefront_events.ndjson": ndjson(storefront(40)),
        "iot/fixtures/packets.ndjson": ndjson(packets(150)),
        "iot/fixtures/sensors.csv": csv_text(sensors()),
        "leaderboard/datasources/fixtures/players.ndjson": ndjson(players()),
        "leaderboard/datasources/fixtures/scores.ndjson": ndjson(scores(100)),
        "odd_bits_classic/datasources/fixtures/measures.ndjson": ndjson(measures(60)),
        "odd_bits_classic/datasources/fixtures/kinds.csv": csv_text(kinds()),
        "odd_bits_forward/fixtures/visits.ndjson": ndjson(visits(60)),
    }


if __name__ == "__main__":
    for name, text in fixtures().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
