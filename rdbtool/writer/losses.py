"""Losses in words: what a conversion left out or changed, for people."""

from __future__ import annotations

from collections.abc import Iterable

from rdbtool.core.errors import Loss, describe_key


def describe_loss(loss: Loss) -> str:
    """Word one loss: what, how often, and the key or the first of the keys that it is about."""
    some = "" if loss.times == 1 else f"{loss.times} × "
    place = "" if loss.key is None else f" (key {describe_key(loss.key)} of db {loss.db})"
    return f"{some}{loss.what}{place}"


def sum_up(losses: Iterable[Loss]) -> list[Loss]:
    """Return one Loss for each kind, losses before notes: the counts added up, the key the first that has it."""
    kinds: dict[tuple[str, str], Loss] = {}
    for loss in losses:
        kind = loss.severity, loss.what
        before = kinds.get(kind)
        kinds[kind] = loss if before is None else before._replace(times=before.times + loss.times)
    return [kinds[kind] for kind in sorted(kinds, key=lambda kind: kind[0])]
