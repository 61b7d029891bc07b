"""Text summary of a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rdbtool.core.rdb_types import CHECKSUM_SINCE
from rdbtool.core.servers import Product, RulesChoice, product_of, writer_of
from rdbtool.model.items import Aux, FunctionLibrary, Header
from rdbtool.operations.info.requirements import NeedsOfFile
from rdbtool.operations.info.summary import Summary
from rdbtool.reader.rdb import Totals
from rdbtool.report.formatting import show_bytes, show_count, show_time
from rdbtool.report.screen import Line, Screen, Styled, name

#: Width of the labels in columns.
_LABEL = 14


def summary_text(summary: Summary, screen: Screen) -> str:
    """Return the summary, one fact per line."""
    lines = [
        fact("file", name(summary.source), _describe_size(summary)),
        fact("format", describe_rdb(summary.header, summary.aux, summary.product)),
        *product_lines(summary.product),
        *([] if summary.choice.is_known else [rules_line(summary.choice)]),
        _checksum_line(summary),
        *totals_lines(summary.totals),
        *function_lines(summary.functions),
        *needs_lines(summary.needs),
        *aux_lines(summary.aux),
    ]
    lines += [fact("note", note) for note in summary.notes]
    return screen.text(lines)


def rules_line(choice: RulesChoice) -> Line:
    """Return the server rules that apply, and what they were inferred from."""
    return fact("rules", str(choice.rules)) if choice.is_known else (str(choice),)


def fact(label: str, *pieces: str | Styled) -> Line:
    """Return a line of label and text."""
    shown = f"{label:<{_LABEL}}"
    return (Styled(shown, "note") if label == "note" else shown, *pieces)


def _describe_size(summary: Summary) -> str:
    size = "size unknown" if summary.size is None else show_count(summary.size, "byte")
    if summary.compression is None:
        return f", {size}"
    packed = "" if summary.compressed_size is None else f" from {summary.compressed_size:,}"
    return f", {size}{packed} ({summary.compression})"


def describe_rdb(header: Header, aux: Iterable[Aux], product: Product | None = None) -> str:
    """Describe version and writer of an RDB file. ``product`` is the product that its opcodes reveal."""
    version = f"RDB {header.version}"
    if header.magic != "REDIS":
        version += f" of {header.magic.capitalize()}"
    fields = list(aux)
    product = product or product_of(fields)
    writer = writer_of(fields)
    if writer is not None:
        return f"{version}, written by {writer._replace(product=product).name}"
    return version if product is None else f"{version}, written by {product.name}"


def product_lines(product: Product | None) -> list[Line]:
    """Return who wrote the file, if neither Redis nor Valkey."""
    return [] if product is None else [fact("writer", product.name)]


def totals_lines(totals: Totals) -> list[Line]:
    """Return the key counts by database and by type."""
    rows = [("keys", totals.keys, totals.expires)]
    rows += [(f"  db {db}", *counts) for db, counts in sorted(totals.by_db.items())]
    rows += [(f"  {kind}", count, 0) for kind, count in sorted(totals.by_kind.items()) if count]
    width = max(len(f"{count:,}") for _, count, _ in rows)
    return [
        fact(label, f"{count:>{width},}", f"  {expires:,} with an expiry" if expires else "")
        for label, count, expires in rows
    ]


def function_lines(functions: Sequence[FunctionLibrary]) -> list[Line]:
    """Return the number of function libraries, and the first line of each."""
    if not functions:
        return []
    lines = [fact("functions", show_count(len(functions), "library", "libraries"))]
    return lines + [fact("", show_bytes(_first_line(library.code), bare=True)) for library in functions]


def needs_lines(needs: NeedsOfFile) -> list[Line]:
    """Return the modules, by the names of their types, and function libraries that a server needs."""
    lines = []
    for module in needs.modules:
        counts = []
        if module.keys:
            counts.append(show_count(module.keys, "key"))
        if module.aux:
            counts.append("data outside the keys")
        built_in = "" if module.built_in is None else f"; part of {module.built_in} and later"
        type_name = show_bytes(module.name.encode(), bare=True)
        lines.append(f"the module with the type {type_name} ({', '.join(counts)}{built_in})")
    for library in needs.libraries:
        if library.name is None or library.engine is None:
            lines.append("a function library without a name")
        else:
            engine = show_bytes(library.engine.encode(), bare=True)
            lines.append(f"the engine {engine} for the function library {library.name}")
    return [fact("needs" if number == 0 else "", line) for number, line in enumerate(lines)]


def aux_lines(aux: Sequence[Aux]) -> list[Line]:
    """Return the aux fields under a title, nothing if there are none."""
    return [("aux fields",), *(_aux_line(row.key, row.value) for row in aux)] if aux else []


def _checksum_line(summary: Summary) -> Line:
    if summary.checksum_state == "correct":
        return fact("checksum", f"{summary.checksum or 0:#018x}, ", Styled("correct", "good"))
    states: dict[str, str | Styled] = {
        "wrong": Styled("wrong", "bad"),
        "disabled": "disabled when the file was saved",
        "none": f"none (RDB files have one since version {CHECKSUM_SINCE})",
        "unread": Styled("not reached", "warning"),
    }
    return fact("checksum", states[summary.checksum_state])


def _aux_line(key: bytes, value: bytes) -> Line:
    shown = show_bytes(value, bare=True)
    if key == b"ctime" and value.isdigit():
        shown += f" ({show_time(int(value) * 1000)})"
    label = f"  {show_bytes(key, bare=True)}"
    return (f"{label:<{_LABEL + 8}}{shown}",)


def _first_line(code: bytes) -> bytes:
    return code.split(b"\n", 1)[0]
