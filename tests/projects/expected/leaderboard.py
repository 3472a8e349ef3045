"""Rows of the endpoints about games, computed from the events."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta

from .check import Check, Data, Row, seconds


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


CHECKS: dict[str, list[Check]] = {
    "leaderboard": [
        Check("leaderboard", leaderboard, {"mode": "ranked", "top": "5"}),
        Check("player_rank", player_rank, {"player_id": "12"}),
        Check("player_history", player_history, {"player_id": "4", "fields": "at, kills", "n": "7"}),
        Check("top_by", top_by, {"aggregate": "avg", "measure": "kills"}),
        Check("season", season),
        Check("favourite_items", favourite_items),
        Check("matches_per_day_api", matches_per_day),
    ],
}
