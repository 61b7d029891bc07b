"""HTML output of ``stats``: totals, treemap, flame graph, tables, histograms, and other servers in one page.

The page needs no network: its style and script (``stats_page.css``, ``stats_page.js``) are inlined, and a content
security policy forbids everything else. Data from files is embedded as JSON without any ``<``, and the script inserts
it as text, never as markup. The size of the page is bounded: names are shortened, and small branches are summed up.
"""

from __future__ import annotations

import json
from pathlib import Path

from rdbtool.core.errors import describe_key, show_name
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final
from rdbtool.core.moments import show_seconds
from rdbtool.report.formatting import show_bytes

if TYPE_CHECKING:
    from rdbtool.operations.memory.stats import LargeKey, Stats

#: Rows of a table of keys, and bytes of a name.
_KEYS: Final = 300
_NAME: Final = 160

_HERE: Final = Path(__file__).parent

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<noscript><p>This page draws its charts with JavaScript. rdbtool stats --json has the same numbers.</p></noscript>
<main id="page"></main>
<script type="application/json" id="data">{data}</script>
<script>
{script}
</script>
</body>
</html>
"""


def stats_html(stats: Stats) -> str:
    """Return the page."""
    names = [show_name(source.source) for source in stats.sources]
    return _PAGE.format(
        policy=_POLICY,
        title=_escape(f"Memory of {', '.join(names[:3])}"),
        style=(_HERE / "stats_page.css").read_text("utf-8"),
        script=(_HERE / "stats_page.js").read_text("utf-8"),
        data=_inert(page_data(stats)),
    )


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _inert(data: Any) -> str:
    """Return JSON that can neither end the script element nor begin another one."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def page_data(stats: Stats) -> dict[str, Any]:
    """Return the data that the script draws."""
    growth = stats.growth
    aof = stats.aof
    return {
        "sources": [
            {
                "name": show_name(row.source),
                "what": "AOF" if row.kind == "aof" else "JSON lines" if row.kind == "jsonl" else f"RDB {row.version}",
                "writer": row.writer,
                "saved": None if row.saved_at is None else show_seconds(row.saved_at),
                "size": row.size,
                "totals": row.totals._asdict(),
            }
            for row in stats.sources
        ],
        "model": stats.model,
        "totals": stats.totals._asdict(),
        "p99": stats.p99,
        "noTtl": [stats.no_ttl.keys, stats.no_ttl.memory],
        "folded": stats.folded,
        # [parent, token, keys, memory, keys without TTL, p99, max, old memory, old keys, partial, children, own keys]
        "prefixes": [
            [
                -1 if row.parent is None else row.parent,
                _text(row.token if row.parent is not None else row.path),
                row.keys,
                row.memory,
                row.no_ttl_keys,
                row.p99,
                row.max,
                row.old_memory,
                row.old_keys,
                int(row.is_partial),
                row.children,
                row.own_keys,
            ]
            for row in stats.prefixes
        ],
        "types": [
            {
                "type": row.kind, "encoding": row.encoding, "keys": row.keys, "memory": row.memory,
                "elements": row.elements, "largest": row.largest, "noTtl": row.no_ttl_keys,
            }
            for row in stats.types
            if row.keys
        ],
        "largest": {name: [_key(row) for row in rows[:_KEYS]] for name, rows in stats.largest.items()},
        "expiry": [list(row) for row in stats.expiry],
        "sizes": [list(row) for row in stats.sizes],
        "idle": [list(row) for row in stats.idle] if any(row.keys for row in stats.idle) else [],
        "lfu": [list(row) for row in stats.freqs],
        "dbs": [[row.db, row.keys, row.expires, row.memory] for row in stats.dbs[:64]],
        "slots": [[row.slot, row.memory] for row in stats.slots] if len(stats.slots) <= 16384 else [],
        "savings": [
            {
                "what": row.what, "keys": row.keys, "memory": row.memory, "saves": row.saves, "type": row.kind,
                "limit": row.limit, "setting": row.setting, "about": row.is_estimate,
                "prefix": None if row.prefix is None else _text(row.prefix + b"*"),
            }
            for row in stats.savings
        ],
        "compared": [{"server": row.server, "totals": row.totals._asdict()} for row in stats.compared],
        "growth": None
        if growth is None
        else {
            "names": [show_name(row.source) for row in growth.old],
            "saved": next((show_seconds(row.saved_at) for row in growth.old if row.saved_at is not None), None),
            "totals": growth.totals._asdict(),
            "least": growth.least,
            "keys": [
                {
                    "key": _text(row.key), "db": row.db, "type": row.kind, "memory": row.memory, "old": row.old_memory,
                    "grew": row.grew,
                }
                for row in growth.keys[:_KEYS]
            ],
        },
        "aof": None
        if aof is None
        else {
            "calls": aof.calls,
            "size": aof.size,
            "whole": aof.whole,
            "rewritten": aof.rewritten,
            "commands": [[_text(row.name), row.calls, row.size] for row in aof.commands[:40]],
            "prefixes": [[_text(row.path), row.calls, row.size] for row in aof.prefixes if row.depth == 1][:40],
            "minutes": _thinned([[row.minute, row.calls, row.size] for row in aof.minutes]),
            "hottest": [[row.db, _text(row.key), row.calls, row.error] for row in aof.hottest],
        },
        "findings": [
            {"code": row.code, "message": row.message, "key": None if row.key is None else _text(row.key)}
            for row in stats.findings[:50]
        ],
    }  # fmt: skip


def _key(row: LargeKey) -> dict[str, Any]:
    return {
        "db": row.db, "key": _text(row.key), "length": row.key_length, "type": row.kind, "encoding": row.encoding,
        "memory": row.memory, "elements": row.elements, "largest": row.largest, "expire": row.expire_at_ms,
    }  # fmt: skip


def _text(name: bytes) -> str:
    """Return a name as printable text, shortened if long."""
    if not name:
        return ""
    return show_bytes(name, _NAME, bare=True) if name.strip(b" ") == name else describe_key(name, _NAME)


def _thinned(rows: list[list[int]], room: int = 400) -> list[list[int]]:
    """Return at most about ``room`` rows: neighbours are summed up."""
    step = -(-len(rows) // room) if rows else 1
    return [
        [rows[at][0], sum(row[1] for row in rows[at : at + step]), sum(row[2] for row in rows[at : at + step])]
        for at in range(0, len(rows), step)
    ]
