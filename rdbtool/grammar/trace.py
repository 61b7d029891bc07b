"""The tree of ``inspect``: which bytes are what.

The constructs report to a ``Tracer`` while they parse, so what is shown is what was read. The children of a node tile
its byte range, with one exception: the contents of a compressed string are below its compressed bytes and have their
own offsets, from the beginning of the decompressed data (``inner``).
"""

from __future__ import annotations

from rdbtool.core.errors import RdbToolError
from rdbtool.core.light_typing import NamedTuple
from rdbtool.grammar.primitives import Lzf
from rdbtool.model import Header, Item, KeyRecord

Shown = bytes | int | float | str | None


class Node:
    """Bytes ``start <= at < stop`` and what they are.

    ``field`` is the name without the number of an item: ``node[3]`` is a ``node``. ``value`` is their value if it is a
    single one. ``inner``: the offsets count from the beginning of the decompressed string of the nearest node that is
    not inner. ``note`` adds what the name does not say. ``left_out`` is the number of children that one child named "…"
    replaces.
    """

    __slots__ = ("children", "field", "inner", "left_out", "name", "note", "start", "stop", "value")

    def __init__(self, name: str, start: int, *, inner: bool = False, index: int | None = None) -> None:
        self.field = name
        self.name = name if index is None else f"{name}[{index}]"
        self.start = start
        self.stop = start
        self.value: Shown = None
        self.children: list[Node] = []
        self.note = ""
        self.inner = inner
        self.left_out = 0


class Trace(NamedTuple):
    """An item as a tree. ``error``: why reading stopped early, if it did; then the tree holds what was read before.

    ``item`` is the item in the model, None if there is none (an expiry for the next key).
    """

    node: Node
    error: RdbToolError | None
    item: Item | KeyRecord | Header | None


class Tracer:
    """Receives every field and builds the tree. ``max_children``: omit the middle of longer runs."""

    def __init__(self, start: int, max_children: int | None = None) -> None:
        self.root = Node("item", start)
        self._open = [self.root]
        self._reopened: list[Node] = []
        self._max = max_children if max_children is None else max(max_children, 2)

    def open(self, name: str, at: int, *, inner: bool, index: int | None = None) -> None:
        """Begin a node; ``index`` is its number among others of the name."""
        self._open.append(Node(name, at, inner=inner, index=index))

    def close(self, at: int, value: object) -> None:
        """End the innermost node; an empty one is dropped."""
        node = self._open.pop()
        node.stop = at
        node.value = _shown(value)
        if node.stop > node.start or node.children:
            self._add(self._open[-1], node)

    def leaf(self, name: str, start: int, stop: int, value: object, *, inner: bool) -> None:
        """Add a node without children."""
        if stop > start:
            node = Node(name, start, inner=inner)
            node.stop = stop
            node.value = _shown(value)
            self._add(self._open[-1], node)

    def reopen(self, name: str) -> None:
        """Make what follows children of the last leaf: it is a blob called ``name``."""
        parent = self._open[-1]
        node = parent.children[-1] if parent.children else Node(name, parent.start)
        if node.name == "data":
            node.name = name
        else:
            node.note = name
        self._reopened.append(node)
        self._open.append(node)

    def seal(self, value: object) -> None:
        """End the children of a blob."""
        node = self._reopened.pop()
        node.value = _shown(value)
        self._open.pop()

    def _add(self, parent: Node, node: Node) -> None:
        children = parent.children
        children.append(node)
        if self._max is None or len(children) <= self._max + (parent.left_out > 0):
            return
        middle = self._max // 2
        elision = children[middle]
        if parent.left_out:
            elision.stop = children.pop(middle + 1).stop
        else:
            elision.name, elision.value, elision.children = "…", None, []
        parent.left_out += 1
        elision.note = f"{parent.left_out} omitted"

    def finish(self, name: str = "") -> Node:
        """End the root, and whatever a refusal left open, after the last child; return the root."""
        while len(self._open) > 1:
            node = self._open.pop()
            if self._reopened and self._reopened[-1] is node:
                self._reopened.pop()
                continue
            node.stop = node.children[-1].stop if node.children else node.start
            if node.children:
                self._add(self._open[-1], node)
        if self.root.children:
            self.root.stop = self.root.children[-1].stop
        self.root.name = name or self.root.name
        return self.root


def _shown(value: object) -> Shown:
    if isinstance(value, Lzf):
        return value.data
    return value if isinstance(value, bytes | int | float | str) else None
