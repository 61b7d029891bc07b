"""Positions as 52-bit numbers, distances on the sphere, and the nine cells that a search looks into.

A position is the score of a member: longitude and latitude cut into 2**26 steps each, their bits interleaved,
longitude's first. Distances are haversine on a sphere of the quadratic mean radius. All arithmetic is in the
order of the servers', since results are compared to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import asin, atan2, cos, isfinite, nan, pi, sin, sqrt

from rdbtool.core.light_typing import Final, NamedTuple
from rdbtool.core.servers import Rules

EARTH_RADIUS_M: Final = 6372797.560856
LONGITUDE_LIMIT: Final = 180.0
LATITUDE_LIMIT: Final = 85.05112878

_STEPS: Final = 26
_RADIANS: Final = pi / 180.0
_MERCATOR_M: Final = 20037726.37
_U32: Final = (1 << 32) - 1
_U64: Final = (1 << 64) - 1

#: Halving a word again and again: how far the upper half of each part moves, and which bits remain.
_HALVES: Final = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)
_WHOLES: Final = (*(mask for _, mask in reversed(_HALVES[:-1])), _U32)


class Point(NamedTuple):
    """A position in degrees."""

    longitude: float
    latitude: float


class Box(NamedTuple):
    """A rectangle of degrees: west, south, east, north."""

    west: float
    south: float
    east: float
    north: float


class Cell(NamedTuple):
    """A cell of the grid of ``2**step`` columns and rows."""

    bits: int
    step: int

    @property
    def scores(self) -> tuple[float, float]:
        """The scores of positions within: from (included) and to (not included)."""
        shift = 52 - self.step * 2
        return float((self.bits << shift) & _U64), float(((self.bits + 1) << shift) & _U64)

    @property
    def box(self) -> Box:
        """The area of the cell."""
        row, column = _gather(self.bits) & _U32, _gather(self.bits >> 1) & _U32
        steps = float(1 << self.step)
        width, height = 2 * LONGITUDE_LIMIT, 2 * LATITUDE_LIMIT
        return Box(
            -LONGITUDE_LIMIT + (column / steps) * width,
            -LATITUDE_LIMIT + (row / steps) * height,
            -LONGITUDE_LIMIT + (((column + 1) & _U32) / steps) * width,
            -LATITUDE_LIMIT + (((row + 1) & _U32) / steps) * height,
        )

    def neighbor(self, east: int, north: int) -> Cell:
        """Return the cell next to this one, around the edges of the grid where need be."""
        mask = (1 << self.step) - 1
        row, column = _gather(self.bits), _gather(self.bits >> 1)
        # A move along an axis also drops what sticks out of the grid there.
        column = (column + east) & mask if east else column
        row = (row + north) & mask if north else row
        return Cell(_spread(row) | _spread(column) << 1, self.step)


def _spread(number: int) -> int:
    """Put a zero bit before each of 32 bits."""
    for shift, mask in _HALVES:
        number = (number | number << shift) & mask
    return number


def _gather(number: int) -> int:
    """Take every second bit of 64, the inverse of ``_spread``."""
    number &= _HALVES[-1][1]
    for (shift, _), mask in zip(reversed(_HALVES), _WHOLES, strict=True):
        number = (number | number >> shift) & mask
    return number


def cell_of(point: Point, step: int = _STEPS) -> Cell:
    """Return the cell of a position."""
    row = int((point.latitude + LATITUDE_LIMIT) / (2 * LATITUDE_LIMIT) * (1 << step))
    column = int((point.longitude + LONGITUDE_LIMIT) / (2 * LONGITUDE_LIMIT) * (1 << step))
    return Cell(_spread(row & _U32) | _spread(column & _U32) << 1, step)


def score_of(point: Point) -> float:
    """Return the score that stands for a position."""
    return float(cell_of(point).bits)


def point_of(score: float, rules: Rules) -> Point:
    """Return the position that a score stands for: the middle of its cell. Any double has one."""
    west, south, east, north = Cell(_unsigned(score), _STEPS).box
    longitude, latitude = (west + east) / 2, (south + north) / 2
    if rules.family == "redis" and rules.major < 6:
        return Point(longitude, latitude)
    return Point(
        min(max(longitude, -LONGITUDE_LIMIT), LONGITUDE_LIMIT), min(max(latitude, -LATITUDE_LIMIT), LATITUDE_LIMIT)
    )


def _unsigned(number: float) -> int:
    """Convert as x86-64 servers do, where C leaves it open."""
    half = 1 << 63
    if number < half:
        return int(number) & _U64 if number >= -half else half
    return int(number) if number < 2 * half else 0


def distance_m(first: Point, second: Point, rules: Rules) -> float:
    """Return the distance of two positions in metres."""
    v = sin((second.longitude * _RADIANS - first.longitude * _RADIANS) / 2)
    if v == 0.0 and not _is_before(rules, 7, 0):
        return latitude_distance_m(first, second)
    latitude, other = first.latitude * _RADIANS, second.latitude * _RADIANS
    u = sin((other - latitude) / 2)
    root = sqrt(u * u + cos(latitude) * cos(other) * v * v)
    return 2.0 * EARTH_RADIUS_M * (asin(root) if root <= 1.0 else nan)


def latitude_distance_m(first: Point, second: Point) -> float:
    """Return the distance of two positions along a meridian in metres."""
    return EARTH_RADIUS_M * abs(second.latitude * _RADIANS - first.latitude * _RADIANS)


def _is_before(rules: Rules, major: int, minor: int) -> bool:
    return rules.family == "redis" and (rules.major, rules.minor) < (major, minor)


def _cos(angle: float) -> float:
    return cos(angle) if isfinite(angle) else nan


class AreaSearch(NamedTuple):
    """A shape to look into: a circle (``radius``), a box (``width``, ``height``) or a polygon, in metres.

    ``reach`` is how far from the centre a circle or box extends, as servers round it.
    """

    center: Point
    reach: float = 0.0
    radius: float | None = None
    width: float = 0.0
    height: float = 0.0
    polygon: Sequence[Point] = ()

    def distance(self, point: Point, rules: Rules) -> float | None:
        """Return the distance of a position from the centre in metres, None outside of the shape."""
        if self.radius is not None:
            distance = distance_m(self.center, point, rules)
            return None if distance > self.radius else distance
        if self.polygon:
            return distance_m(self.center, point, rules) if _is_inside(point, self.polygon) else None
        if _is_before(rules, 7, 0):
            height = distance_m(point, Point(point.longitude, self.center.latitude), rules)
        else:
            height = latitude_distance_m(point, self.center)
        if height > self.height / 2:
            return None
        if distance_m(point, Point(self.center.longitude, point.latitude), rules) > self.width / 2:
            return None
        return distance_m(self.center, point, rules)

    def cells(self, rules: Rules) -> list[Cell]:
        """Return the cells to look into, in that order."""
        bounds, radius = self._bounds(rules), self._extent(rules)
        step = _estimate_step(radius, self.center.latitude)
        middle = cell_of(self.center, step)
        if step > 1 and self._is_too_fine(middle, bounds, radius, rules):
            step -= 1
            middle = cell_of(self.center, step)
        area = middle.box
        useless = (
            (area.west < bounds.west, area.south < bounds.south, area.east > bounds.east, area.north > bounds.north)
            if step >= 2
            else (False, False, False, False)
        )
        cells = [middle]
        for east, north in _NEIGHBORS:
            if useless[0 if east < 0 else 2] and east:
                continue
            if useless[1 if north < 0 else 3] and north:
                continue
            cell = middle.neighbor(east, north)
            # Neighbours that follow each other can be the same cell on a coarse grid.
            if len(cells) == 1 or cell != cells[-1]:
                cells.append(cell)
        return cells

    def _bounds(self, rules: Rules) -> Box:
        if self.polygon:
            longitudes, latitudes = zip(*self.polygon, strict=True)
            return Box(min(longitudes), min(latitudes), max(longitudes), max(latitudes))
        longitude, latitude = self.center
        height, width = (self.height / 2, self.width / 2) if self.radius is None else (self.radius, self.radius)
        rise = height / EARTH_RADIUS_M / _RADIANS
        edge = latitude
        if not _is_before(rules, 6, 2):
            edge += -rise if latitude < 0 else rise
        swing = width / EARTH_RADIUS_M / _cos(edge * _RADIANS) / _RADIANS
        return Box(longitude - swing, latitude - rise, longitude + swing, latitude + rise)

    def _extent(self, rules: Rules) -> float:
        """Return how far from the centre the shape extends, in metres."""
        if not self.polygon:
            return self.reach
        west, south, east, north = self._bounds(rules)
        corners = (Point(west, north), Point(east, north), Point(west, south), Point(east, south))
        return max(distance_m(self.center, corner, rules) for corner in corners)

    def _is_too_fine(self, middle: Cell, bounds: Box, radius: float, rules: Rules) -> bool:
        """Whether the cells around the middle do not reach the edges of the shape."""
        north, south = middle.neighbor(0, 1).box.north, middle.neighbor(0, -1).box.south
        east, west = middle.neighbor(1, 0).box.east, middle.neighbor(-1, 0).box.west
        if not _is_before(rules, 6, 2):
            return north < bounds.north or south > bounds.south or east < bounds.east or west > bounds.west
        longitude, latitude = self.center
        ends = (Point(longitude, north), Point(longitude, south), Point(east, latitude), Point(west, latitude))
        return any(distance_m(self.center, end, rules) < radius for end in ends)


#: (columns east, rows north), in the order in which servers look into them.
_NEIGHBORS: Final = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))


def _estimate_step(radius: float, latitude: float) -> int:
    """Return how fine a grid may be so that nine cells cover a circle."""
    if radius == 0:
        return _STEPS
    step = -1
    while radius < _MERCATOR_M:
        radius *= 2
        step += 1
    if abs(latitude) > 66:
        step -= 1
        if abs(latitude) > 80:
            step -= 1
    return min(max(step, 1), _STEPS)


def _is_inside(point: Point, polygon: Sequence[Point]) -> bool:
    """Count the edges east of the point."""
    inside = False
    before = polygon[-1]
    for vertex in polygon:
        (x, y), (other_x, other_y) = vertex, before
        if (y > point.latitude) != (other_y > point.latitude) and (
            point.longitude < (other_x - x) * (point.latitude - y) / (other_y - y) + x
        ):
            inside = not inside
        before = vertex
    return inside


def center_of(polygon: Sequence[Point]) -> Point:
    """Return the position below the mean of the vertices in space."""
    x = y = z = 0.0
    for vertex in polygon:
        longitude, latitude = vertex.longitude * _RADIANS, vertex.latitude * _RADIANS
        x += EARTH_RADIUS_M * cos(latitude) * cos(longitude)
        y += EARTH_RADIUS_M * cos(latitude) * sin(longitude)
        z += EARTH_RADIUS_M * sin(latitude)
    x, y, z = x / len(polygon), y / len(polygon), z / len(polygon)
    return Point(atan2(y, x) / _RADIANS, atan2(z, sqrt(x * x + y * y)) / _RADIANS)
