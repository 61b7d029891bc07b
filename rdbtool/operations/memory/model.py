"""The choice of server, allocator and cluster mode that memory usage is calculated for."""

from __future__ import annotations

from rdbtool.core.light_typing import TYPE_CHECKING, Any, NamedTuple
from rdbtool.core.memory_models import ALLOCATORS, MemoryModel, memory_model_of
from rdbtool.core.servers import Rules, RulesChoice
from rdbtool.operations.json_shapes import rules_json

if TYPE_CHECKING:
    from rdbtool.dataset.dataset import Dataset


class MemoryChoice(NamedTuple):
    """The server to calculate memory for; ``is_nearest``: ``model`` is that of the nearest measured release.

    ``allocator`` is one of ``ALLOCATORS``. ``is_cluster``: the server is in cluster mode.
    """

    choice: RulesChoice
    model: MemoryModel
    is_nearest: bool
    allocator: str = ALLOCATORS[0]
    is_cluster: bool = False

    def __str__(self) -> str:
        near = f", calculated as for {self.model.rules}" if self.is_nearest else ""
        return f"{self.choice}{near}, {self.allocator}{', cluster' if self.is_cluster else ''}"

    def to_dict(self) -> dict[str, Any]:
        """Return the choice for JSON output."""
        return {
            **rules_json(self.choice),
            "calculated_as": str(self.model.rules),
            "allocator": self.allocator,
            "cluster": self.is_cluster,
        }


def choose_memory_model(
    dataset: Dataset, rules: str | None = None, *, allocator: str = ALLOCATORS[0], is_cluster: bool = False
) -> MemoryChoice:
    """Return the server to calculate memory for: the one that ``rules`` names, None for the writer of the dataset.

    Reads the dataset up to the first key. Raises ValueError for an unknown name, and the errors of reading.
    """
    dataset.read_preamble()
    choice = dataset.choice if rules is None else RulesChoice(Rules.parse(rules), "named")
    model, is_nearest = memory_model_of(choice.rules)
    return MemoryChoice(choice, model, is_nearest, allocator, is_cluster)
