"""Text output of ``stats`` on one screen: header, prefixes, types, largest keys, expiry, and possible savings.

Tables are as wide as the screen: names and bars share the space that the numbers leave, and on a narrow screen bars
and p99 are omitted first. Names are escaped, so only printable text reaches the terminal.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence

from rdbtool.core.errors import clean, show_name
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.core.moments import show_seconds
from rdbtool.report.formatting import show_bytes, show_count, show_memory, show_share
from rdbtool.report.screen import WORD_STYLES, Screen, fit, width_of

if TYPE_CHECKING:
    from rdbtool.core.errors import Finding
    from rdbtool.operations.memory.aof_writes import AofStats, PrefixCount
    from rdbtool.operations.memory.stats import Bucket, Growth, LargeKey, Prefix, Saving, SourceFacts, Stats

#: The tables available instead of the overview.
BY: Final = ("prefix", "type", "encoding", "db", "slot", "ttl")

#: The narrowest and widest layout of tables, in columns.
_NARROWEST: Final = 60
_WIDEST: Final = 220

#: Below the first width there are no bars and no p99; below the second, types and keys are not side by side.
_BARS_FROM: Final = 92
_SIDE_BY_SIDE_FROM: Final = 92

#: The least width of a bar.
_LEAST_BAR: Final = 8

#: The least and largest width of a name.
_NAME: Final = (14, 72)

#: The factor by which each level of the tree counts less when rows are chosen.
_DEEPER: Final = 0.55

#: Rows of the overview: prefixes, types, keys.
_PREFIXES: Final = 12
_TYPES: Final = 6
_KEYS: Final = 5

#: The most inputs that the header lists.
_SOURCES: Final = 4

_BLOCKS: Final = " ▏▎▍▌▋▊▉█"

_EXPIRY_WORDS: Final = {
    "never": "never", "past": "past", "1h": "within 1 h", "1d": "1 d", "7d": "7 d", "30d": "30 d", "later": "later",
}  # fmt: skip

_PLURALS: Final = {
    "hash": ("hash", "hashes"), "zset": ("sorted set", "sorted sets"), "set": ("set", "sets"),
}  # fmt: skip


class Column(NamedTuple):
    """A column: its title, cells and alignment; ``style`` applies to all cells."""

    title: str
    cells: Sequence[str]
    left: bool = False
    style: str = ""


def stats_text(stats: Stats, *, screen: Screen, by: str | None = None, top: int = 10) -> str:
    """Return the overview, or with ``by`` one table of ``top`` rows."""
    width = min(max(screen.width, _NARROWEST), _WIDEST)
    lines = [*_header(stats, screen, width), ""]
    if by is None:
        parts = [
            _prefix_lines(stats, screen, width, _PREFIXES),
            _types_and_keys(stats, screen, width),
            _expiry_lines(stats, screen, width),
            _growth_lines(stats, screen, width),
            _saving_lines(stats, screen, width),
            _compared_lines(stats, screen, width),
            _aof_lines(stats, screen, width),
        ]
        for part in parts:
            if part:
                lines += [*part, ""]
        if stats.at_least:
            words = f" values of modules: {show_count(stats.at_least, 'key takes', 'keys take')} more than shown"
            lines += [screen.paint(words, "aside"), ""]
    else:
        lines += [*_table_by(stats, screen, width, by, top), ""]
    for finding in stats.findings:
        lines += _finding_lines(finding, screen)
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(line.rstrip() for line in lines) + "\n"


# ---- header ----


def _header(stats: Stats, screen: Screen, width: int) -> list[str]:
    lines = []
    for source in stats.sources[:_SOURCES]:
        name = show_name(source.source)
        facts = _facts_of(source)
        if len(name) + len(facts) + 4 <= width:
            lines.append(f"{screen.paint(name, 'name')}  {facts}")
        else:
            lines += [screen.paint(name, "name"), *_wrapped(facts.split(" · "), " · ", width, " " * 4)]
    if len(stats.sources) > _SOURCES:
        lines.append(f"and {len(stats.sources) - _SOURCES} more")
    totals = stats.totals
    words = [
        f"{screen.paint(show_memory(totals.used_memory), 'code')} of used_memory after a restart",
        stats.model,
    ]
    if len(stats.sources) > 1:
        words.insert(0, show_count(totals.keys, "key"))
    if stats.growth is not None:
        words.append(_since(stats, stats.growth))
    prefix = stats.prefixes[0]
    if prefix.path:
        count = show_count(prefix.keys, "key begins", "keys begin")
        words.append(f"{count} with {show_bytes(prefix.path, bare=True)}")
    return lines + _wrapped(words, " · ", width, "")


def _facts_of(source: SourceFacts) -> str:
    name = f"RDB {source.version}" if source.kind != "jsonl" else "JSON lines"
    if source.magic != "REDIS":
        name = f"RDB {source.version} of {source.magic.capitalize()}"
    if source.kind == "aof":
        name = "AOF"
    words = [name]
    if source.writer is not None:
        words[0] += f", {source.writer}"
    if source.saved_at is not None:
        words[0] += f", saved {show_seconds(source.saved_at)}"
    words.append(show_count(source.totals.keys, "key"))
    if source.size is not None:
        words.append(f"{show_memory(source.size)} on disk")
    return " · ".join(words)


def _since(stats: Stats, growth: Growth) -> str:
    grew = stats.totals.used_memory - growth.totals.used_memory
    moments = [row.saved_at for row in growth.old if row.saved_at is not None]
    when = show_seconds(max(moments)) if moments else show_name(growth.old[0].source)
    share = "" if not growth.totals.used_memory else f" ({100 * grew / growth.totals.used_memory:+.1f}%)"
    keys = stats.totals.keys - growth.totals.keys
    return f"{_signed(grew)}{share}, {keys:+,} {'key' if abs(keys) == 1 else 'keys'} since {when}"


def _signed(size: int) -> str:
    return "-" if size == 0 else ("+" if size > 0 else "-") + show_memory(abs(size))


def _wrapped(words: Sequence[str], joint: str, width: int, indent: str) -> list[str]:
    """Return words joined and wrapped into lines; escape sequences do not count towards the width."""
    lines: list[str] = []
    row: list[str] = []
    used = len(indent)
    for word in words:
        length = len(_plain(word))
        if row and used + len(joint) + length > width:
            lines.append(indent + joint.join(row))
            row, used = [], len(indent)
        used += (len(joint) if row else 0) + length
        row.append(word)
    if row:
        lines.append(indent + joint.join(row))
    return lines


def _plain(text: str) -> str:
    if "\x1b" not in text:
        return text
    import re  # noqa: PLC0415 - only for coloured output

    return re.sub(r"\x1b\[[0-9;]*m", "", text)


# ---- tables ----


def table(columns: Sequence[Column], screen: Screen, *, indent: int = 1) -> list[str]:
    """Return the lines of a table: titles, then rows."""
    widths = [_width(column) for column in columns]
    titles = [_padded(column.title, size, column) for column, size in zip(columns, widths, strict=True)]
    lines = [screen.paint((" " * indent + "  ".join(titles)).rstrip(), "aside")]
    for row in zip(*(column.cells for column in columns), strict=True):
        cells = []
        for column, size, cell in zip(columns, widths, row, strict=True):
            padded = _padded(cell, size, column)
            cells.append(screen.paint(padded, column.style) if column.style and cell.strip() else padded)
        lines.append((" " * indent + "  ".join(cells)).rstrip())
    return lines


def _padded(text: str, width: int, column: Column) -> str:
    blank = " " * (width - width_of(text))
    return text + blank if column.left else blank + text


def _width(column: Column) -> int:
    return max(len(column.title), *(width_of(cell) for cell in column.cells), 0)


def _width_of(columns: Sequence[Column], indent: int = 1) -> int:
    return indent + sum(map(_width, columns)) + 2 * (len(columns) - 1)


def _beside_each_other(left: Sequence[str], right: Sequence[str], half: int) -> list[str]:
    """Return two tables side by side; the right one begins at a fixed column."""
    lines = []
    for index in range(max(len(left), len(right))):
        a = left[index] if index < len(left) else ""
        b = right[index] if index < len(right) else ""
        lines.append(a + " " * max(half - width_of(_plain(a)), 1) + b)
    return lines


def bar(share: float, width: int) -> str:
    """Return a bar of up to ``width`` columns, in eighths of a column."""
    eighths = max(0, min(round(share * width * 8), width * 8))
    full, rest = divmod(eighths, 8)
    return "█" * full + (_BLOCKS[rest] if rest else "")


def _name(key: bytes, width: int) -> str:
    """Return a name in at most ``width`` columns."""
    text = show_bytes(key, max(width, 4) * 2, bare=True)
    return fit(text, width) if width_of(text) > width else text


def _key_name(db: int, key: bytes, width: int) -> str:
    """Return a key, with its database unless it is db 0."""
    where = f" (db {db})" if db else ""
    return _name(key, width - len(where)) + where


# ---- prefixes ----


class _Row(NamedTuple):
    prefix: Prefix
    level: int


class Tree:
    """The nodes of a prefix tree by parent; chains of nodes with one child each are one node."""

    def __init__(self, prefixes: Sequence[Prefix]) -> None:
        self.prefixes = prefixes
        self._below: dict[int, list[int]] = {}
        for index, row in enumerate(prefixes):
            if row.parent is not None:
                self._below.setdefault(row.parent, []).append(index)

    def end_of_chain(self, index: int) -> int:
        """Return the node that has the same keys and the longest path."""
        while True:
            row = self.prefixes[index]
            below = self._below.get(index, [])
            if len(below) != 1 or row.children != 1:
                return index
            child = self.prefixes[below[0]]
            if child.keys != row.keys or child.old_keys != row.old_keys:
                return index
            index = below[0]

    def children(self, index: int) -> list[int]:
        """Return the children of a node, largest first, each as the end of its chain."""
        return [self.end_of_chain(child) for child in self._below.get(index, [])]


def _weight(row: Prefix) -> int:
    return max(row.memory, row.old_memory)


def choose_rows(prefixes: Sequence[Prefix], limit: int) -> tuple[list[_Row], list[int]]:
    """Return the rows to show, parents before children, and which nodes of the first level are among them."""
    tree = Tree(prefixes)
    root = tree.end_of_chain(0)
    heap: list[tuple[float, int, int, int]] = []

    def offer(indexes: Sequence[int], parent: int, level: int) -> None:
        for index in indexes:
            row = prefixes[index]
            is_rest = level > 0 and row.token[:1] == b"*" and not row.is_branch
            if is_rest or (level > 0 and row.keys <= 1 and row.old_keys <= 1):
                continue
            heapq.heappush(heap, (-_weight(row) * _DEEPER**level, index, parent, level))

    first = tree.children(root) if prefixes[root].is_branch or root == 0 else [root]
    offer(first, -1, 0)
    chosen: dict[int, list[int]] = {}
    top: list[int] = []
    count = 0
    while heap and count < limit:
        _, index, parent, level = heapq.heappop(heap)
        chosen.setdefault(parent, []).append(index)
        if level == 0:
            top.append(index)
        count += 1
        below = tree.children(index)
        if len(below) > 1:
            offer(below, index, level + 1)
    rows: list[_Row] = []

    def walk(parent: int, level: int) -> None:
        for index in sorted(chosen.get(parent, ()), key=lambda index: -_weight(prefixes[index])):
            rows.append(_Row(prefixes[index], level))
            walk(index, level + 1)

    walk(-1, 0)
    return rows, top


def _prefix_lines(stats: Stats, screen: Screen, width: int, limit: int) -> list[str]:
    prefixes = stats.prefixes
    if not prefixes[0].keys and not prefixes[0].old_keys:
        return [" no keys"]
    rows, top = choose_rows(prefixes, limit)
    root = prefixes[0]
    whole = stats.totals.used_memory or root.memory
    left = _rest(root, [prefixes[index] for index in top])
    shown = [row.prefix for row in rows]
    names = ["  " * row.level + ("≥ " if row.prefix.is_partial else "") for row in rows]
    extra: list[tuple[str, str, int]] = []
    if left is not None:
        count = _first_level(prefixes) - len(top)
        extra.append((f"{count:,} more" if count > 0 else "more", f"{left[0]:,}", left[1]))
    if not root.path:
        extra += _beside(stats)
    blank = [""] * len(extra)
    numbers = [
        Column("keys", [f"{row.keys:,}" for row in shown] + [row[1] for row in extra]),
        Column("memory", [show_memory(row.memory) for row in shown] + [show_memory(row[2]) for row in extra]),
        Column(
            "share", [show_share(row.memory, whole) for row in shown] + [show_share(row[2], whole) for row in extra]
        ),
    ]
    details = [
        Column("avg", [show_memory(row.average) if row.keys else "-" for row in shown] + blank),
        Column("p99", [show_memory(row.p99) if row.keys else "-" for row in shown] + blank),
        Column("max", [show_memory(row.max) if row.keys else "-" for row in shown] + blank),
        Column("no TTL", [_percent(row.no_ttl_keys, row.keys) for row in shown] + blank),
    ]
    if stats.growth is not None:
        details.append(Column("grew", [_signed(row.memory - row.old_memory) for row in shown] + blank))
    natural = [len(lead) + width_of(_name(row.pattern, _NAME[1])) for lead, row in zip(names, shown, strict=True)]
    wanted = max([_NAME[0], *(len(row[0]) for row in extra), min(max(natural, default=0), width // 3)])
    with_bars = width >= _BARS_FROM
    if not with_bars:
        details = [column for column in details if column.title != "p99"]
    for title in ("p99", "avg", "max", "no TTL"):
        if width - _width_of([*numbers, *details]) - 2 - (_LEAST_BAR + 2) * with_bars < wanted:
            details = [column for column in details if column.title != title]
    rest = width - _width_of([*numbers, *details]) - 2
    if with_bars:
        bars = max(_LEAST_BAR, min(rest - wanted - 2, rest // 3, 40))
        largest = max((row.memory for row in shown), default=0) or 1
        sizes = [row.memory for row in shown] + [max(row[2], 0) for row in extra]
        cells = [bar(size / largest, bars) for size in sizes]
        numbers.append(Column("".ljust(bars), cells, left=True, style="note"))
        rest -= bars + 2
    name_width = max(_NAME[0], min(rest, _NAME[1]))
    labels = [lead + _name(row.pattern, name_width - len(lead)) for lead, row in zip(names, shown, strict=True)]
    labels += [_cut(row[0], name_width) for row in extra]
    lines = table([Column("prefix", labels, left=True, style="name"), *numbers, *details], screen)
    if stats.folded:
        lines.append(screen.paint(f" {show_count(stats.folded, 'name')} folded to *", "aside"))
    return lines


def _first_level(prefixes: Sequence[Prefix]) -> int:
    """Return how many nodes the first level has that rows can show."""
    tree = Tree(prefixes)
    return prefixes[tree.end_of_chain(0)].children


def _rest(root: Prefix, shown: Sequence[Prefix]) -> tuple[int, int] | None:
    keys = root.keys - sum(row.keys for row in shown)
    memory = root.memory - sum(row.memory for row in shown)
    return (keys, memory) if keys > 0 else None


def _beside(stats: Stats) -> list[tuple[str, str, int]]:
    """Return rows for the difference between keys and used_memory: hash tables, and errors of MEMORY USAGE."""
    totals = stats.totals
    rows = []
    rounding = totals.allocated - totals.memory
    if totals.used_memory and abs(rounding) * 200 >= totals.used_memory:
        rows.append(("not in MEMORY USAGE" if rounding > 0 else "too much in MEMORY USAGE", "", rounding))
    if totals.tables:
        rows.append(("tables", "", totals.tables))
    return rows


def _percent(part: int, whole: int) -> str:
    if not whole:
        return "-"
    share = 100 * part / whole
    return "<1%" if 0 < share < 1 else ">99%" if 99 < share < 100 else f"{share:.0f}%"


# ---- types and keys ----


def _types_and_keys(stats: Stats, screen: Screen, width: int) -> list[str]:
    if not stats.types:
        return []
    kinds: dict[str, list[int]] = {}
    encodings: dict[str, list[str]] = {}
    for row in stats.types:
        counts = kinds.setdefault(row.kind, [0, 0])
        counts[0] += row.keys
        counts[1] += row.memory
        if row.keys:
            encodings.setdefault(row.kind, []).append(f"{row.encoding} {row.keys:,}")
    order = sorted((kind for kind in kinds if kinds[kind][0]), key=lambda kind: -kinds[kind][1])[: _TYPES + 2]
    columns = [
        Column("type", order, left=True, style="name"),
        Column("keys", [f"{kinds[kind][0]:,}" for kind in order]),
        Column("memory", [show_memory(kinds[kind][1]) for kind in order]),
    ]
    wide = width >= _SIDE_BY_SIDE_FROM
    half = width // 2 if wide else width
    room = max(half - _width_of(columns) - 3, 12)
    columns.append(Column("encoding", [_cut(", ".join(encodings[kind]), room) for kind in order], left=True))
    left = table(columns, screen)
    right = _key_lines(stats.largest["memory"][:_KEYS], screen, width - half if wide else width, "biggest keys")
    if not wide:
        return [*left, "", *right] if right else left
    return _beside_each_other(left, right, half)


def _key_lines(rows: Sequence[LargeKey], screen: Screen, width: int, title: str) -> list[str]:
    if not rows:
        return []
    numbers = [
        Column("memory", [show_memory(row.memory) for row in rows]),
        Column("elements", [f"{row.elements:,}" for row in rows]),
    ]
    room = max(width - _width_of(numbers) - 3, _NAME[0])
    names = [_key_name(row.db, row.key, room) for row in rows]
    return table([Column(title, names, left=True, style="name"), *numbers], screen)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


# ---- expiry, idle time, databases ----


def _expiry_lines(stats: Stats, screen: Screen, width: int) -> list[str]:
    lines = []
    keys = sum(row.keys for row in stats.expiry)
    memory = sum(row.memory for row in stats.expiry)
    if keys:
        never = stats.expiry[0]
        words = [f"never {_percent(never.keys, keys)} of keys, {_percent(never.memory, memory)} of bytes"]
        words += [
            f"{_EXPIRY_WORDS[row.name]} {_percent(row.keys, keys) if row.keys else '-'}" for row in stats.expiry[2:]
        ]
        past = stats.expiry[1]
        words.append(f"past {past.keys:,} ({show_memory(past.memory)})" if past.keys else "past -")
        lines += _labelled("expiry", words, screen, width)
        root = stats.prefixes[0]
        sizes = [f"half of the keys ≤ {show_memory(stats.p50)}", f"90% ≤ {show_memory(stats.p90)}"]
        sizes += [f"99% ≤ {show_memory(stats.p99)}", f"largest {show_memory(root.max)}"]
        lines += _labelled("sizes", sizes, screen, width)
    lines += _class_line(
        "idle", stats.idle, {"1h": "< 1 h", "1d": "< 1 d", "7d": "< 7 d", "30d": "< 30 d"}, screen, width
    )
    if stats.freqs:
        total = sum(keys for _, keys, _ in stats.freqs)
        cold = sum(keys for counter, keys, _ in stats.freqs if counter <= 1)
        hot = sum(keys for counter, keys, _ in stats.freqs if counter >= 10)
        words = [f"0-1 {_percent(cold, total)} of keys", f"2-9 {_percent(total - cold - hot, total)}"]
        lines += _labelled("LFU", [*words, f"10+ {_percent(hot, total)}"], screen, width)
    if len(stats.dbs) > 1:
        words = [f"db {row.db} {show_count(row.keys, 'key')}, {show_memory(row.memory)}" for row in stats.dbs[:6]]
        if len(stats.dbs) > 6:
            words.append(f"{len(stats.dbs) - 6} more")
        lines += _labelled("dbs", words, screen, width)
    return lines


def _class_line(label: str, rows: Sequence[Bucket], names: dict[str, str], screen: Screen, width: int) -> list[str]:
    keys = sum(row.keys for row in rows)
    if not keys:
        return []
    words = [f"{names.get(row.name, row.name)} {_percent(row.keys, keys)}" for row in rows if row.keys]
    return _labelled(label, words, screen, width)


def _labelled(label: str, words: Sequence[str], screen: Screen, width: int) -> list[str]:
    lines = _wrapped(words, " · ", width - 12, "")
    return [
        f" {screen.paint(label.ljust(10), 'aside') if number == 0 else ' ' * 10} {line}"
        for number, line in enumerate(lines)
    ]


# ---- growth ----


def _growth_lines(stats: Stats, screen: Screen, width: int) -> list[str]:
    growth = stats.growth
    if growth is None or not growth.keys:
        return []
    rows = growth.keys[: _KEYS * 2]
    columns = [
        Column("before", ["-" if row.old_memory is None else show_memory(row.old_memory) for row in rows]),
        Column("now", ["-" if row.memory is None else show_memory(row.memory) for row in rows]),
        Column("grew", [_signed(row.grew) for row in rows]),
        Column("", [_what_happened(row.memory, row.old_memory) for row in rows], left=True, style="aside"),
    ]
    room = max(width - _width_of(columns) - 3, _NAME[0])
    title = f"keys of {show_memory(growth.least)} and more"
    names = Column(title, [_key_name(row.db, row.key, min(room, _NAME[1])) for row in rows], left=True, style="name")
    lines = table([names, *columns], screen)
    if not growth.is_exact:
        lines.append(screen.paint(" there are more such keys than are tracked by name", "aside"))
    return lines


def _what_happened(memory: int | None, old: int | None) -> str:
    return "new" if old is None else "gone" if memory is None else ""


# ---- savings, other servers ----


def _saving_lines(stats: Stats, screen: Screen, width: int) -> list[str]:
    lines: list[str] = []
    for row in stats.savings[:5]:
        label = " " * 10 if lines else screen.paint("could save".ljust(10), "aside")
        first, *rest = _wrapped(_saving_words(row), " ", width - 24, "")
        lines.append(f" {label} {show_memory(row.saves):>9}  {first}")
        lines += [" " * 23 + line for line in rest]
    return lines


def _saving_words(row: Saving) -> list[str]:
    """Return the text of a saving, as words that are not wrapped."""
    if row.what == "expired":
        verb = "have" if row.keys != 1 else "has"
        text = f"{show_count(row.keys, 'key')} {verb} expired and {'are' if row.keys != 1 else 'is'} still stored"
        return text.split()
    if row.what == "no-ttl":
        verb = "do" if row.keys != 1 else "does"
        rest = f"{verb} not expire, the others do".split()
        return [*f"{show_count(row.keys, 'key')} of".split(), _name((row.prefix or b"") + b"*", 40), *rest]
    counted = show_count(row.keys, *_PLURALS[row.kind or "hash"])
    limit = row.limit or 0
    unit = "entries" if row.what == "entries" else "bytes in the largest"
    verb = "have" if row.keys != 1 else "has"
    return [*f"about: {counted} {verb} {limit + 1:,} to {2 * limit:,} {unit}:".split(), row.setting or ""]


def _compared_lines(stats: Stats, screen: Screen, width: int) -> list[str]:
    if not stats.compared:
        return []
    here = stats.totals.used_memory
    rows = [(stats.model, stats.totals), *((row.server, row.totals) for row in stats.compared)]
    columns = [
        Column("server", [_cut(name, max(width - 62, 16)) for name, _ in rows], left=True, style="name"),
        Column("used_memory", [show_memory(totals.used_memory) for _, totals in rows]),
        Column(
            "",
            [
                f"{100 * (totals.used_memory - here) / here:+.1f}%" if here and n else ""
                for n, (_, totals) in enumerate(rows)
            ],
        ),
        Column("keys alone", [show_memory(totals.allocated) for _, totals in rows]),
        Column("tables", [show_memory(totals.tables) for _, totals in rows]),
    ]
    return table(columns, screen)


# ---- AOF ----


def _aof_lines(stats: Stats, screen: Screen, width: int) -> list[str]:
    aof = stats.aof
    if aof is None:
        return []
    rows = aof.commands[:6]
    left = table(
        [
            Column("command", [show_bytes(row.name, 24, bare=True) for row in rows], left=True, style="name"),
            Column("calls", [f"{row.calls:,}" for row in rows]),
            Column("AOF bytes", [show_memory(row.size) for row in rows]),
            Column("share", [show_share(row.size, aof.size) for row in rows]),
        ],
        screen,
    )
    keys = aof.hottest[:6]
    wide = width >= _SIDE_BY_SIDE_FROM
    half = width // 2
    room = max((width - half if wide else width) - 26, _NAME[0])
    right = (
        table(
            [
                Column("hottest keys", [_key_name(row.db, row.key, room) for row in keys], left=True, style="name"),
                Column("writes", [("≤ " if row.error else "") + f"{row.calls:,}" for row in keys]),
            ],
            screen,
        )
        if keys
        else []
    )
    lines = _beside_each_other(left, right, half) if wide else [*left, "", *right]
    prefixes = sorted((row for row in aof.prefixes if row.depth == 1), key=lambda row: -row.size)[:5]
    if len(prefixes) > 1:
        lines += ["", *_writes_by_prefix(aof, prefixes, screen, width), ""]
    words = [f"{show_count(aof.calls, 'command')}, {show_memory(aof.size)}"]
    if aof.minutes:
        busiest = max(aof.minutes, key=lambda row: row.calls)
        moment = show_seconds(busiest.minute * 60)[:16].replace("T", " ")
        words.append(f"busiest minute {moment}Z: {show_count(busiest.calls, 'command')}")
    if aof.rewritten is not None:
        saves = aof.whole - aof.rewritten
        words.append(f"a rewrite would save about {show_memory(max(saves, 0))} of {show_memory(aof.whole)}")
    return [*lines, *_labelled("AOF", words, screen, width)]


def _writes_by_prefix(aof: AofStats, rows: Sequence[PrefixCount], screen: Screen, width: int) -> list[str]:
    """Return the table of commands by prefix."""
    columns = [
        Column("calls", [f"{row.calls:,}" for row in rows]),
        Column("AOF bytes", [show_memory(row.size) for row in rows]),
        Column("share", [show_share(row.size, aof.size) for row in rows]),
    ]
    room = min(max(width - _width_of(columns) - 3, _NAME[0]), _NAME[1])
    names = [_name(row.path + (b"*" if row.path[-1:] in b":/|._-" else b""), room) for row in rows]
    return table([Column("written to", names, left=True, style="name"), *columns], screen)


# ---- one table ----


def _table_by(stats: Stats, screen: Screen, width: int, by: str, top: int) -> list[str]:
    if by == "prefix":
        return _prefix_lines(stats, screen, width, top)
    makers: dict[str, Callable[[], Iterator[tuple[str, int, int, int | None]]]] = {
        "type": lambda: _by_type(stats),
        "encoding": lambda: (
            (f"{row.kind} {row.encoding}", row.keys, row.memory, row.no_ttl_keys) for row in stats.types if row.keys
        ),
        "db": lambda: (
            ("other dbs" if row.db < 0 else f"db {row.db}", row.keys, row.memory, row.keys - row.expires)
            for row in stats.dbs
        ),
        "slot": lambda: (
            (f"slot {row.slot}", row.keys, row.memory, None)
            for row in sorted(stats.slots, key=lambda row: (-row.memory, row.slot))
        ),
        "ttl": lambda: ((_EXPIRY_WORDS[row.name], row.keys, row.memory, None) for row in stats.expiry),
    }
    rows = list(makers[by]())
    whole = stats.totals.used_memory or stats.prefixes[0].memory
    shown = rows[:top] if by != "ttl" else rows
    columns = [
        Column(by, [row[0] for row in shown], left=True, style="name"),
        Column("keys", [f"{row[1]:,}" for row in shown]),
        Column("memory", [show_memory(row[2]) for row in shown]),
        Column("share", [show_share(row[2], whole) for row in shown]),
        Column("avg", [show_memory(row[2] / row[1]) if row[1] else "-" for row in shown]),
    ]
    if any(row[3] is not None for row in shown):
        columns.append(Column("no TTL", [_percent(row[3] or 0, row[1]) for row in shown]))
    room = width - _width_of(columns) - 2
    if room >= 10 and shown and whole:
        largest = max(row[2] for row in shown) or 1
        columns.insert(4, Column("", [bar(row[2] / largest, min(room, 40)) for row in shown], left=True, style="note"))
    lines = table(columns, screen)
    if len(rows) > len(shown):
        lines.append(screen.paint(f" {len(rows) - len(shown):,} more: --top {len(rows)}", "aside"))
    return lines


def _by_type(stats: Stats) -> Iterator[tuple[str, int, int, int | None]]:
    sums: dict[str, list[int]] = {}
    for row in stats.types:
        counts = sums.setdefault(row.kind, [0, 0, 0])
        for index, number in enumerate((row.keys, row.memory, row.no_ttl_keys)):
            counts[index] += number
    for kind, (keys, memory, no_ttl) in sorted(sums.items(), key=lambda each: -each[1][1]):
        if keys:
            yield kind, keys, memory, no_ttl


def _finding_lines(finding: Finding, screen: Screen) -> list[str]:
    from rdbtool.core.codes import BY_CODE  # noqa: PLC0415 - the table is large

    severity = screen.paint(finding.severity, WORD_STYLES[finding.severity])
    title = f"{screen.paint(finding.code, 'code')}  {BY_CODE[finding.code].title}"
    about = "" if finding.key is None else f": {screen.paint(_key_name(finding.db or 0, finding.key, 60), 'name')}"
    return [f"  {severity}  {title}{about}", f"         {clean(finding.message)}"]
