"""Positions in sorted sets: GEOADD, and the searches that store what they found.

A search without a destination changes nothing, but its arguments are checked all the same. What is within
reach is collected cell by cell; the order matters where COUNT takes a part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import sqrt
from operator import itemgetter

from rdbtool.core.light_typing import Final, NamedTuple
from rdbtool.core.servers import Rules
from rdbtool.engine.algorithms.geohash import (
    LATITUDE_LIMIT,
    LONGITUDE_LIMIT,
    AreaSearch,
    Point,
    center_of,
    point_of,
    score_of,
)
from rdbtool.engine.algorithms.partialsort import sort_all, sort_part
from rdbtool.engine.arguments import ScoreRange, parse_int, parse_number
from rdbtool.engine.command_errors import NOT_A_FLOAT, SYNTAX, CommandError, UnknownEffectError
from rdbtool.engine.commands.zsets import add_scores_if
from rdbtool.engine.engine import Engine
from rdbtool.engine.handlers import command
from rdbtool.engine.inference.differing import differs_as
from rdbtool.engine.replies import Later, Reply, show_score
from rdbtool.engine.values import ZSetData

NO_MEMBER: Final = "ERR could not decode requested zset member"

#: Metres in a unit.
_UNITS: Final = {b"M": 1.0, b"KM": 1000.0, b"FT": 0.3048, b"MI": 1609.34}

_ADD_OPTIONS: Final = frozenset((b"NX", b"XX", b"CH"))
_WITH: Final = frozenset((b"WITHDIST", b"WITHHASH", b"WITHCOORD"))


class FoundMember(NamedTuple):
    """A member in a shape and its distance from the centre in metres."""

    member: bytes
    score: float
    distance: float


@command("GEOADD")
def geoadd(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    """GEOADD key [NX|XX] [CH] longitude latitude member [longitude latitude member ...]."""
    at = 2
    while at < len(argv) and (word := argv[at].upper()) in _ADD_OPTIONS and engine.knows(b"GEOADD", word):
        at += 1
    options = frozenset(word.upper() for word in argv[2:at])
    if len(argv) == at or (len(argv) - at) % 3 or {b"NX", b"XX"} <= options:
        raise CommandError(SYNTAX)
    points = [_point(engine, argv[place : place + 2]) for place in range(at, len(argv), 3)]
    return add_scores_if(engine, argv[1], argv[at + 2 :: 3], [score_of(point) for point in points], options)


def _number(engine: Engine, text: bytes, error: str = NOT_A_FLOAT) -> float:
    return parse_number(text, engine.rules, error)


def _point(engine: Engine, words: Sequence[bytes]) -> Point:
    longitude, latitude = (_number(engine, word) for word in words)
    if abs(longitude) > LONGITUDE_LIMIT or abs(latitude) > LATITUDE_LIMIT:
        raise CommandError(f"ERR invalid longitude,latitude pair {longitude:f},{latitude:f}")
    return Point(longitude, latitude)


def _unit(engine: Engine, command: bytes, word: bytes) -> float:
    unit = _UNITS.get(word.upper())
    if unit is None or (word != word.lower() and not engine.knows(command, b"unit in capitals")):
        raise CommandError("ERR unsupported unit provided. please use M, KM, FT, MI")
    return unit


class _Query:
    """A search as its words describe it; words are taken from the front of ``words``."""

    def __init__(
        self, engine: Engine, command: bytes, zset: ZSetData | None, words: Sequence[bytes], target: bytes | None
    ) -> None:
        self.engine = engine
        self.command = command
        self.zset = zset
        self.words = list(words)
        self.target = target
        self.is_search = target is not None
        self.center: Point | None = None
        self.has_center = False
        self.center_word = b""
        self.shape: partial[AreaSearch] | None = None
        self.polygon: list[Point] = []
        self.unit = 1.0
        self.store_distance = False
        self.count = 0
        self.any = False
        self.order = b""
        self.with_words: set[bytes] = set()

    def take(self, count: int) -> list[bytes]:
        """Remove and return the next words. Raises CommandError if there are fewer."""
        if len(self.words) < count:
            raise CommandError(SYNTAX)
        taken, self.words = self.words[:count], self.words[count:]
        return taken

    def take_member(self) -> None:
        (member,) = self.take(1)
        self.has_center = True
        if self.zset is None:
            return
        score = self.zset.get(member)
        if score is None:
            name = member.decode("utf-8", "backslashreplace")
            raise CommandError(
                f"ERR member {name} does not exist" if self.engine.rules.has(None, (9, 0)) else NO_MEMBER
            )
        self.center = point_of(score, self.engine.rules)

    def take_point(self) -> None:
        self.center = _point(self.engine, self.take(2))
        self.has_center = True

    def take_circle(self) -> None:
        text, unit = self.take(2)
        radius = _number(self.engine, text, "ERR need numeric radius")
        if radius < 0:
            raise CommandError("ERR radius cannot be negative")
        self.unit = _unit(self.engine, self.command, unit)
        self.shape = partial(AreaSearch, reach=radius * self.unit, radius=radius * self.unit)

    def take_box(self) -> None:
        texts = self.take(3)
        width = _number(self.engine, texts[0], "ERR need numeric width")
        height = _number(self.engine, texts[1], "ERR need numeric height")
        if width < 0 or height < 0:
            raise CommandError("ERR height or width cannot be negative")
        self.unit = _unit(self.engine, self.command, texts[2])
        reach = sqrt((width / 2) * (width / 2) + (height / 2) * (height / 2)) * self.unit
        self.shape = partial(AreaSearch, reach=reach, width=width * self.unit, height=height * self.unit)

    def take_polygon(self) -> None:
        count = parse_int(self.take(1)[0], "ERR invalid number of vertices")
        if count < 3 or len(self.words) < 2 * count:
            raise CommandError("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices")
        self.polygon = [_point(self.engine, self.take(2)) for _ in range(count)]
        self.center = center_of(self.polygon)
        self.has_center = True
        self.unit = 1.0
        self.shape = partial(AreaSearch, polygon=self.polygon)

    def take_options(self) -> None:
        """Take all that is left. Raises CommandError."""
        while self.words:
            word = self.take(1)[0].upper()
            if word in _WITH:
                self.with_words.add(word)
            elif word == b"ANY" and self.engine.knows(self.command, word):
                self.any = True
            elif word in (b"ASC", b"DESC"):
                self.order = word
            elif word == b"COUNT":
                self.count = parse_int(self.take(1)[0])
                if self.count <= 0:
                    raise CommandError("ERR COUNT must be > 0")
            elif self.is_search:
                self._take_search_option(word)
            elif word in (b"STORE", b"STOREDIST"):
                self.target = self.take(1)[0]
                self.store_distance = word == b"STOREDIST"
            else:
                raise CommandError(SYNTAX)

    def _take_search_option(self, word: bytes) -> None:
        has_shape = self.shape is not None
        if word == b"STOREDIST":
            self.store_distance = True
        elif word in (b"FROMMEMBER", b"FROMLONLAT") and not self.polygon:
            self._take_center(word)
        elif word == b"BYRADIUS" and (not has_shape or self._is_circle()):
            self.take_circle()
        elif word == b"BYBOX" and (not has_shape or (not self._is_circle() and not self.polygon)):
            self.take_box()
        elif word == b"BYPOLYGON" and self._takes_polygon():
            self.take_polygon()
        else:
            raise CommandError(SYNTAX)

    def _takes_polygon(self) -> bool:
        if not self.engine.knows(self.command, b"BYPOLYGON"):
            return False
        return (self.shape is None or bool(self.polygon)) and not self.center_word

    def _is_circle(self) -> bool:
        return self.shape is not None and "radius" in self.shape.keywords

    def _take_center(self, word: bytes) -> None:
        # The same kind twice is taken, the last one counts; different kinds exclude each other.
        if self.has_center and self.center_word != word:
            raise CommandError(SYNTAX)
        self.center_word = word
        if word == b"FROMMEMBER":
            self.take_member()
        else:
            self.take_point()

    def check(self) -> None:
        """Check the options together. Raises CommandError."""
        if self.target is not None and self.with_words:
            what = "GEOSEARCHSTORE" if self.is_search else "STORE option in GEORADIUS"
            raise CommandError(f"ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
        if self.is_search and not self.has_center:
            raise CommandError("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCHSTORE")
        if self.is_search and self.shape is None:
            shapes = "BYRADIUS, BYBOX and BYPOLYGON" if self.engine.rules.has(None, (9, 0)) else "BYRADIUS and BYBOX"
            raise CommandError(f"ERR exactly one of {shapes} can be specified for GEOSEARCHSTORE")
        if self.any and not self.count:
            raise CommandError("ERR the ANY argument requires COUNT argument")

    def run(self) -> Reply | Later:
        """Store what is found, and return how much that is; without a destination, return what is found."""
        if self.target is None:
            return self._list
        db = self.engine.db
        result = ZSetData()
        if self.zset is not None and self.center is not None and self.shape is not None:
            found = self._pick(self._collect(self.zset, self.shape(self.center)))
            for member, score, distance in found:
                result.put(member, distance / self.unit if self.store_distance else score)
        if result:
            db.replace(self.target, result)
            return len(result)
        if self.zset is None and not self.is_search and self.target in db.keys and not self.engine.rules.has((7, 0)):
            raise UnknownEffectError("without its source the destination goes, or stays: releases of Redis 6.2 differ")
        db.delete(self.target)
        return 0

    def _list(self) -> Reply:
        found: list[FoundMember] = []
        if self.zset is not None and self.center is not None and self.shape is not None:
            found = self._pick(self._collect(self.zset, self.shape(self.center)))
        # Parts of a large result are in order.
        if self.order or (self.count and not self.any):
            found = sort_all(found, _distance_of, reverse=self.order == b"DESC")
        if not self.with_words:
            return [row.member for row in found]
        return [self._describe(row) for row in found]

    def _describe(self, row: FoundMember) -> list[Reply]:
        words: list[Reply] = [row.member]
        if b"WITHDIST" in self.with_words:
            words.append(b"%.4f" % (row.distance / self.unit))
        if b"WITHHASH" in self.with_words:
            words.append(int(row.score))
        if b"WITHCOORD" in self.with_words:
            rules = self.engine.rules
            words.append([_show_coordinate(number, rules) for number in point_of(row.score, rules)])
        return words

    def _collect(self, zset: ZSetData, search: AreaSearch) -> list[FoundMember]:
        rules = self.engine.rules
        limit = self.count if self.any else 0
        found: list[FoundMember] = []
        for cell in search.cells(rules):
            low, high = cell.scores
            start, stop = ScoreRange(low, high, low_open=False, high_open=True).find(zset.order)
            for score, member in zset.order[start:stop]:
                distance = search.distance(point_of(score, rules), rules)
                if distance is not None:
                    found.append(FoundMember(member, score, distance))
                if limit and len(found) >= limit:
                    return found
        return found

    def _pick(self, found: list[FoundMember]) -> list[FoundMember]:
        count = self.count
        if not count or len(found) <= count:
            return found
        if not self.order and self.any:
            return found[:count]
        reverse = self.order == b"DESC"
        if not self.engine.rules.has((6, 2)):
            return sort_all(found, _distance_of, reverse=reverse)[:count]
        return sort_part(found, _distance_of, 0, count - 1, reverse=reverse)


def _show_coordinate(number: float, rules: Rules) -> bytes:
    if rules.has((8, 0), None):
        return show_score(number, rules)
    return (b"%.17f" % number).rstrip(b"0").rstrip(b".")


_distance_of = itemgetter(2)

#: Before releases that measure, sort or store otherwise.
_OTHERS: Final = ("redis-5.0", "redis-6.0", "redis-6.2")


@command("GEORADIUS")
@differs_as(*_OTHERS)
def georadius(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    """GEORADIUS key longitude latitude radius unit [COUNT count [ANY]] [ASC|DESC] [STORE|STOREDIST key]."""
    query = _Query(engine, b"GEORADIUS", engine.db.find(argv[1], ZSetData), argv[2:], None)
    if query.zset is None and not engine.rules.has((6, 2)):
        # Before 6.2 nothing else is looked at then, and a destination stays.
        return []
    query.take_point()
    query.take_circle()
    query.take_options()
    query.check()
    return query.run()


@command("GEORADIUSBYMEMBER")
@differs_as(*_OTHERS)
def georadiusbymember(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    """GEORADIUSBYMEMBER key member radius unit [COUNT count [ANY]] [ASC|DESC] [STORE|STOREDIST key]."""
    query = _Query(engine, b"GEORADIUSBYMEMBER", engine.db.find(argv[1], ZSetData), argv[2:], None)
    if query.zset is None and not engine.rules.has((6, 2)):
        return []
    if query.zset is None:
        # Without the key neither the member nor the radius is looked at.
        query.take(3)
    else:
        query.take_member()
        query.take_circle()
    query.take_options()
    query.check()
    return query.run()


@command("GEOSEARCHSTORE")
@differs_as(*_OTHERS)
def geosearchstore(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    """GEOSEARCHSTORE destination source FROM... BY... [ASC|DESC] [COUNT count [ANY]] [STOREDIST]."""
    query = _Query(engine, b"GEOSEARCHSTORE", engine.db.find(argv[2], ZSetData), argv[3:], argv[1])
    query.take_options()
    query.check()
    return query.run()
