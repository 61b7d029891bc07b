"""Gather memory statistics from files: open each, feed it to the memory sink, and read some a second time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence

from rdbtool._codec.sinks.key_sizes import KeyObserver
from rdbtool._codec.sinks.key_stats import KeyStats
from rdbtool.core.errors import FormatError, UncertainError
from rdbtool.core.light_typing import TYPE_CHECKING
from rdbtool.core.progress import Progress, begin_pass
from rdbtool.core.servers import Rules
from rdbtool.dataset.loading import load_keys
from rdbtool.operations.memory.stats import Collector, Measured, MemorySums, Stats, StatsOptions
from rdbtool.operations.memory.stats_limits import NAMED, StatsLimits, missed_limits
from rdbtool.reader.open.dispatch import open_any

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.dataset.dataset import Dataset
    from rdbtool.dataset.loading import Opened, Target
    from rdbtool.engine.replay.places import Places
    from rdbtool.operations.memory.aof_writes import AofStats


def measure(
    dataset: Dataset,
    stats: KeyStats,
    options: StatsOptions,
    selection: Selection | None = None,
    progress: Progress | None = None,
) -> Measured:
    """Feed a dataset to ``stats``, for the server that ``options`` name, or else the one that wrote the dataset.

    Data before damage is counted, and the damage is returned. Raises the other errors of reading.
    """
    from rdbtool._codec.filters.tee import Tee  # noqa: PLC0415 - one shared library each
    from rdbtool._codec.sinks.memory import MemorySink  # noqa: PLC0415 - likewise
    from rdbtool.core.memory_models import ALLOCATORS, memory_model_of  # noqa: PLC0415 - likewise
    from rdbtool.operations.memory.model import choose_memory_model  # noqa: PLC0415 - likewise

    allocator = options.allocator or ALLOCATORS[0]
    chosen = choose_memory_model(dataset, options.rules, allocator=allocator, is_cluster=options.is_cluster)
    words = [str(chosen.choice.rules), allocator, *(["cluster"] if options.is_cluster else [])]
    if chosen.is_nearest:
        words[0] += f", calculated as for {chosen.model.rules}"
    sink = MemorySink(chosen.model, stats, allocator, options.is_cluster)
    others = [
        MemorySink(memory_model_of(Rules.parse(name))[0], KeyObserver(), allocator, options.is_cluster)
        for name in options.compare
        if not stats.side
    ]
    chain: Sink = sink
    for other in others:
        chain = Tee(chain, other)
    damage = None
    try:
        dataset.feed(chain, selection=selection, progress=progress)
    except FormatError as error:
        damage = error
    compared = tuple(MemorySums(**other.totals()) for other in others) or tuple(MemorySums() for _ in options.compare)
    return Measured(MemorySums(**sink.totals()), compared, ", ".join(words), damage)


def gather_stats(
    targets: Sequence[Target],
    options: StatsOptions,
    *,
    since: Sequence[Target] = (),
    limits: StatsLimits | None = None,
    select: Callable[[], Selection | None] = lambda: None,
    places: Places | None = None,
    rename_commands: Mapping[str, str] | None = None,
    with_commands: bool = True,
    progress: Progress | None = None,
) -> Stats:
    """Return memory statistics of datasets, and the growth since older ones.

    ``select`` returns a fresh key filter for each pass. A single AOF is read again for ``with_commands``, and the
    current datasets are if keys that were large in ``since`` no longer are. Raises InputError, UnsupportedError,
    LimitError, PlaceError, and FormatError for damage before the first key; later damage is ``damage`` of the result.
    """
    limits = limits or StatsLimits()
    wanted = NAMED if limits.max_key is not None or limits.max_elements is not None else 0
    collector = Collector(options._replace(top=max(options.top, wanted)), measure, has_old=bool(since))
    collector.stats.most_memory = limits.max_key or 0
    collector.stats.most_elements = limits.max_elements or 0
    aof: AofStats | None = None

    def count(target: Target, *, is_old: bool, looks: bool = False) -> None:
        nonlocal aof
        with open_any(target, jsonl=True) as reader:
            is_log = reader.kind == "aof"
            begin_pass(progress, "replaying" if is_log else "reading", reader.name, reader.size, left=None)
            keys = load_keys(
                reader,
                options.rules,
                now_ms=options.now_ms,
                places=None if is_old else places,
                source=target,
                rename_commands=rename_commands,
                progress=progress,
            )
            if looks:
                keys.read_preamble()
                collector.look(keys, select())
                return
            collector.add(keys, is_old=is_old, selection=select(), progress=None if is_log else progress)
            if is_log and with_commands and len(targets) == 1 and target != "-" and not is_old and places is None:
                aof = _commands_of(target, keys, options, rename_commands)

    for target in targets:
        count(target, is_old=False)
    for target in since:
        count(target, is_old=True)
    if since and collector.wants_look and all(target != "-" for target in targets):
        for target in targets:
            count(target, is_old=False, looks=True)
    result = collector.result(aof=aof)
    if limits.is_set:
        result = result._replace(findings=missed_limits(result, collector.stats, limits))
    if options.top < wanted:
        kept = {name: rows[: options.top] for name, rows in result.largest.items()}
        result = result._replace(largest=kept, options=options)
    return result


def _commands_of(
    target: Target, keys: Opened, options: StatsOptions, rename_commands: Mapping[str, str] | None
) -> AofStats | None:
    """Count the commands of an AOF in another pass, and compute its size after a rewrite."""
    from rdbtool.operations.memory.aof_writes import count_commands, rewritten_size  # noqa: PLC0415 - for AOFs only
    from rdbtool.reader.aof.reader import AofReader  # noqa: PLC0415 - likewise

    rewritten = None
    if keys.kind == "aof":
        with contextlib.suppress(UncertainError, FormatError):
            rewritten = rewritten_size(keys)
    with open_any(target) as again:
        if not isinstance(again, AofReader):
            return None
        tree = KeyStats(top=0, separators=options.separators, depth=options.depth, prefix=options.prefix)
        return count_commands(again, tree, rename_commands=rename_commands, rewritten=rewritten)
