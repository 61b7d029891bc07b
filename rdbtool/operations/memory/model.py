"""Whose memory is calculated: which server, with which allocator, in a cluster or alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rdbtool.core.memory_models import ALLOCATORS, MemoryModel, memory_model_of
from rdbtool.core.servers import Rules, RulesChoice
from rdbtool.operations.json_shapes import rules_json

if TYPE_CHECKING:
    from rdbtool.dataset.dataset import Dataset


class MemoryChoice(NamedTuple):
    """The server whose memory is calculated; ``is_nearest``: no build of its release was measured, ``model`` is near.

    ``allocator`` is one of ``ALLOCATORS``. ``is_cluster``: the server is one of a cluster.
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
        """Return what JSON says of it."""
        return {
            **rules_json(self.choice),
            "calculated_as": str(self.model.rules),
            "allocator": self.allocator,
            "cluster": self.is_cluster,
        }


def choose_memory_model(
    dataset: Dataset, rules: str | None = None, *, allocator: str = ALLOCATORS[0], is_cluster: bool = False
) -> MemoryChoice:
    """Return whose memory is calculated: the server that ``rules`` names, None for the one that wrote the dataset.

    Reads what stands in front of the first key. Raises ValueError for another name, and what reading raises.
    """
    dataset.read_preamble()
    choice = dataset.choice if rules is None else RulesChoice(Rules.parse(rules), "named")
    model, is_nearest = memory_model_of(choice.rules)
    return MemoryChoice(choice, model, is_nearest, allocator, is_cluster)
