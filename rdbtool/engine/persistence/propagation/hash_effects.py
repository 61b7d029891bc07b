"""Commands on fields that may expire: logged is what became of the fields that they name.

To Redis a field that has expired is absent for some commands even while it loads an AOF, so such a
command would do something else when it is replayed later.
"""

from __future__ import annotations

from rdbtool.core.light_typing import Final
from rdbtool.engine.engine import Engine
from rdbtool.engine.streams.arguments import knows
from rdbtool.engine.values import HashData

Argv = tuple[bytes, ...]
_State = tuple[bytes | None, int | None]

#: Redis takes no later expiry of a field from a command, while a file may hold one.
_LAST_MS: Final = (1 << 46) - 1


def carry_out_fields(engine: Engine, argv: Argv) -> list[Argv]:
    """Execute a command of a hash, and return the removals, values and expiries that came of it."""
    before = _look(engine, argv)
    engine.execute(*argv)
    changed = {field: state for field, state in _look(engine, argv).items() if state != before[field]}
    if engine.rules.family == "redis" and any((expiry or 0) > _LAST_MS for _, expiry in changed.values()):
        # No command could set that again; and a field with such an expiry has not expired.
        return [argv]
    return _effects_of(argv[1], before, changed, keeps_expiries=_keeps_expiries(engine))


def _effects_of(
    key: bytes, before: dict[bytes, _State], changed: dict[bytes, _State], *, keeps_expiries: bool
) -> list[Argv]:
    """Return the commands that make fields what they are now. Setting one ends its expiry, so expiries come last."""
    plain: list[bytes] = []
    kept: list[bytes] = []
    expiring: dict[int, list[bytes]] = {}
    for field, (value, expiry) in changed.items():
        old, old_expiry = before[field]
        if value is None:
            continue
        if expiry is not None and expiry == old_expiry and keeps_expiries:
            kept += (field, value)
            continue
        if value != old or expiry is None:
            plain += (field, value)
        if expiry is not None:
            expiring.setdefault(expiry, []).append(field)
    gone = [field for field, (value, _) in changed.items() if value is None]
    logged: list[Argv] = []
    if gone:
        logged.append((b"HDEL", key, *gone))
    if plain:
        logged.append((b"HSET", key, *plain))
    if kept:
        logged.append((b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"%d" % (len(kept) // 2), *kept))
    for expiry, fields in expiring.items():
        logged.append((b"HPEXPIREAT", key, b"%d" % expiry, b"FIELDS", b"%d" % len(fields), *fields))
    return logged


def _keeps_expiries(engine: Engine) -> bool:
    """Whether the server has HSETEX with KEEPTTL."""
    if engine.rules.family == "valkey":
        return engine.rules.major >= 9
    return knows(engine.rules, (8, 0))


def _look(engine: Engine, argv: Argv) -> dict[bytes, _State]:
    """Return value and expiry of whatever a command may name; a word that is no field has neither."""
    data = engine.db.keys.get(argv[1])
    if not isinstance(data, HashData):
        return dict.fromkeys(argv[2:], (None, None))
    expires = data.expires or {}
    return {word: (data.get(word), expires.get(word)) for word in argv[2:]}
