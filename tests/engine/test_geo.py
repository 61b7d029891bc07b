"""Positions: scores, distances and the results of searches, bit for bit those of a server."""

from __future__ import annotations

import math
import random

import pytest
import server
from duel import Duel, replay, state_of, words_of

from rdbtool.core.servers import Rules
from rdbtool.engine import CommandError
from rdbtool.engine.algorithms.geohash import Cell, Point, distance_m, point_of, score_of
from rdbtool.engine.algorithms.partialsort import sort_all, sort_part

REDIS_7 = Rules.parse("redis-7.0")
SICILY = "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania"

#: (commands, the sorted set ``d`` afterwards; None: no such key)
CASES: list[tuple[list[str], list[tuple[str, float]] | None]] = [
    (["GEOADD d 13.361389 38.115556 Palermo 15.087269 37.502669 Catania"],
     [("Palermo", 3479099956230698), ("Catania", 3479447370796909)]),
    (["GEOADD d 180 85.05112878 corner -180 -85.05112878 other"], [("other", 0), ("corner", 13510798882111488)]),
    (["GEOADD d 0 0 a", "GEOADD d NX 1 1 a 0 0 b", "GEOADD d XX CH 0 0 c"],
     [("a", 3377699720527872), ("b", 3377699720527872)]),
    ([SICILY, "GEORADIUS g 15 37 200 km STORE d"], [("Palermo", 3479099956230698), ("Catania", 3479447370796909)]),
    ([SICILY, "GEORADIUS g 15 37 200 km STOREDIST d"],
     [("Catania", 56.4412578701582), ("Palermo", 190.44242984775784)]),
    ([SICILY, "GEORADIUS g 15 37 200 km COUNT 1 STOREDIST d"], [("Catania", 56.4412578701582)]),
    ([SICILY, "GEORADIUS g 15 37 200 km DESC COUNT 1 STORE d"], [("Palermo", 3479099956230698)]),
    ([SICILY, "GEORADIUSBYMEMBER g Palermo 0 m STOREDIST d"], [("Palermo", 0)]),
    ([SICILY, "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYBOX 400 400 km STOREDIST"],
     [("Catania", 56.4412578701582), ("Palermo", 190.44242984775784)]),
    ([SICILY, "GEOSEARCHSTORE d g FROMMEMBER Catania BYRADIUS 1 m ASC"], [("Catania", 3479447370796909)]),
    ([SICILY, "GEOADD d 0 0 a", "GEORADIUS g 0 0 1 m STORE d"], None),
    (["GEOADD d 0 0 a", "GEORADIUSBYMEMBER none x 1 m STORE d"], None),
    (["GEOADD d 0 0 a", "GEOSEARCHSTORE d none FROMMEMBER x BYRADIUS 1 m"], None),
    ([SICILY, "GEORADIUS g 15 37 200 km", "GEORADIUS g 15 37 200 km WITHDIST WITHCOORD WITHHASH"], None),
]  # fmt: skip

FAILING = [
    "GEOADD g 181 0 a", "GEOADD g 0 86 a", "GEOADD g x 0 a", "GEOADD g 0 0 a 1 1", "GEOADD g NX XX 0 0 a",
    "GEOADD s 0 0 a",
    "GEOADD g 0 0 a 0 90 b", "GEORADIUS g 0 0 -1 m STORE d", "GEORADIUS g 0 0 1 parsec STORE d",
    "GEORADIUS s 0 0 1 m STORE d",
    "GEORADIUS g 0 0 x m STORE d", "GEORADIUS g 0 0 1 m COUNT 0 STORE d", "GEORADIUS g 0 0 1 m ANY STORE d",
    "GEORADIUS g 0 0 1 m WITHDIST STORE d", "GEORADIUS g 0 0 1 m STORE", "GEORADIUS g 0 0 1 m BYBOX 1 1 m STORE d",
    "GEORADIUSBYMEMBER g none 1 m STORE d", "GEORADIUSBYMEMBER none x 1 m NEAR STORE d",
    "GEOSEARCHSTORE d g FROMLONLAT 0 0 FROMMEMBER Palermo BYRADIUS 1 m",
    "GEOSEARCHSTORE d g FROMLONLAT 0 0 ASC COUNT 1 ANY",
    "GEOSEARCHSTORE d g BYRADIUS 1 m BYBOX 1 1 m ASC", "GEOSEARCHSTORE d g FROMLONLAT 0 0 BYBOX 1 -1 m",
    "GEOSEARCHSTORE d g FROMLONLAT 0 0 BYBOX 1 1 m STORE x", "GEOSEARCHSTORE d g FROMLONLAT 0 0 BYRADIUS 1 m WITHDIST",
    "GEOSEARCHSTORE d g FROMMEMBER none BYRADIUS 1 m", "GEOSEARCHSTORE d s FROMLONLAT 0 0 BYRADIUS 1 m",
    "GEOSEARCHSTORE d g BYPOLYGON 3 0 0 1 0 1 1", "GEOSEARCHSTORE d g BYRADIUS 1 m ASC STOREDIST",
]  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), CASES)
def test_results(lines: list[str], expected: list[tuple[str, float]] | None) -> None:
    assert state_of(replay(*lines)).get("d") == expected


@pytest.mark.parametrize("line", FAILING)
def test_errors_change_nothing(line: str) -> None:
    engine = replay(SICILY, "SET s text", "ZADD d 1 old")
    before = state_of(engine)
    with pytest.raises(CommandError):
        engine.execute(*words_of(line))
    assert state_of(engine) == before


@pytest.mark.server
def test_a_server_agrees(redis_server: server.Server) -> None:
    for lines, _ in CASES:
        redis_server.client("FLUSHALL")
        Duel(redis_server).lines(*lines)
    redis_server.client("FLUSHALL")
    Duel(redis_server).lines(SICILY, "SET s text", "ZADD d 1 old", *FAILING)


@pytest.mark.server
@pytest.mark.parametrize("crowd", [300, 2000])
def test_searches_over_the_earth(redis_server: server.Server, crowd: int) -> None:
    """Every latitude and size of shape, among members of which many share a place."""
    choose = random.Random(crowd)
    duel = Duel(redis_server)
    places = [(choose.uniform(-180, 180), choose.uniform(-85, 85)) for _ in range(crowd // 3)]
    places += [(choose.uniform(2, 3), choose.uniform(48, 49)) for _ in range(20)]
    words = [word for at in range(crowd) for word in (*map(repr, choose.choice(places)), f"member {at}")]
    duel.run("GEOADD", "g", *words)
    for at in range(60):
        longitude, latitude = choose.choice(places) if choose.random() < 0.5 else (choose.uniform(-180, 180), 84.9)
        sizes = [repr(10 ** choose.uniform(-1, 4.4)) for _ in range(2)]
        shape = ["BYRADIUS", sizes[0], "km"] if at % 2 else ["BYBOX", *sizes, "km"]
        count = ["COUNT", str(choose.choice([1, 3, 9, 50])), *choose.choice([[], ["ANY"], ["DESC"], ["ANY", "ASC"]])]
        options = count if choose.random() < 0.7 else []
        store = choose.choice([[], ["STOREDIST"]])
        target = f"d{at % 20}"
        duel.run("GEOSEARCHSTORE", target, "g", "FROMLONLAT", repr(longitude), repr(latitude), *shape, *options, *store)
        if at % 10 == 9:
            duel.check(at)
    duel.check()


@pytest.mark.server
def test_scores_that_are_no_positions(redis_server: server.Server) -> None:
    duel = Duel(redis_server)
    duel.lines(
        "ZADD g -5 a 1.5 b 9007199254740993 c 1e300 d inf e -inf f 4503599627370495 h 3377699720527872 i",
        *(f"GEORADIUSBYMEMBER g {member} 30000 km STOREDIST d{member}" for member in "abcdefhi"),
        "GEORADIUSBYMEMBER g i inf km STOREDIST far",
        "GEORADIUSBYMEMBER g i 1e308 km STOREDIST far",
    )


def test_old_servers_took_another_way_to_the_distance() -> None:
    # On one meridian 7.0 takes the difference of the latitudes; before, the haversine of it.
    first, second = Point(0.0, 10.0), Point(0.0, 42.5)
    new, old = (distance_m(first, second, Rules.parse(rules)) for rules in ("redis-7.0", "redis-6.2"))
    assert new == 6372797.560856 * abs(math.radians(42.5) - math.radians(10.0))
    assert (new, old) == (3614854.7500000293, 3614854.75000003)


def test_old_servers_sort_all_before_they_count() -> None:
    lines = ["GEOADD g " + " ".join(f"{1 if at < 30 else 2} 1 m{at:02}" for at in range(60))]
    old = state_of(replay(*lines, "GEORADIUS g 1 1 500 km COUNT 40 STORE d", rules="redis-6.0"))["d"]
    assert isinstance(old, list)
    assert [member for member, _ in old if member >= "m30"] == [f"m{at}" for at in range(30, 40)]


def test_polygons_are_valkey_9() -> None:
    lines = [SICILY, "GEOADD g 20 45 Elsewhere 14 37.9 Inside"]
    search = "GEOSEARCHSTORE d g BYPOLYGON 4 13 37 15 37 15 38 13 38 STOREDIST"
    result = state_of(replay(*lines, search, rules="valkey-9.0"))["d"]
    assert isinstance(result, list)
    # The centre of the four corners is near 14, 37.5; distances are in metres.
    assert [member for member, _ in result] == ["Inside"]
    assert 40_000 < result[0][1] < 50_000
    for rules in ("valkey-8.1", "redis-8.0"):
        with pytest.raises(CommandError):
            replay(*lines, search, rules=rules)
    for bad in (
        "BYPOLYGON 2 0 0 1 1 ASC",
        "BYPOLYGON x 0 0 1 1 1 0",
        "BYPOLYGON 4 0 0 1 1 1 0",
        "FROMMEMBER Inside BYPOLYGON 3 0 0 1 1 1 0",
        "FROMLONLAT 1 1 BYPOLYGON 3 0 0 1 1 1 0",
    ):
        with pytest.raises(CommandError):
            replay(*lines, f"GEOSEARCHSTORE d g {bad}", rules="valkey-9.0")


def test_cells_wrap_around() -> None:
    cell = Cell(0, 2)
    assert cell.neighbor(-1, 0).box.east == 180.0
    assert cell.neighbor(0, -1).box.north == 85.05112878
    assert cell.neighbor(-1, 0).neighbor(1, 0) == cell


def test_positions_survive_a_round_trip() -> None:
    choose = random.Random(5)
    for _ in range(200):
        point = Point(choose.uniform(-180, 180), choose.uniform(-85, 85))
        found = point_of(score_of(point), REDIS_7)
        assert abs(found.longitude - point.longitude) <= 360 / 2**27
        assert abs(found.latitude - point.latitude) <= 171 / 2**27
        assert score_of(found) == score_of(point)


def test_a_part_of_a_sort_has_the_right_keys() -> None:
    choose = random.Random(6)
    for size in (1, 6, 7, 8, 40, 41, 200):
        items = [(float(choose.randrange(size // 2 + 1)), b"%d" % at) for at in range(size)]
        for reverse in (False, True):
            first = choose.randrange(size)
            last = choose.randrange(first, size)
            part = sort_part(items, lambda item: item[0], first, last, reverse=reverse)
            whole = sort_all(items, lambda item: item[0], reverse=reverse)
            assert [key for key, _ in part] == [key for key, _ in whole[first : last + 1]]
            assert set(part) <= set(items)
            assert len(set(part)) == len(part)
