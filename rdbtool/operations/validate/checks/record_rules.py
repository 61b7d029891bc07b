"""All rules about records."""

from __future__ import annotations

from rdbtool.core.light_typing import Final
from rdbtool.operations.validate.checks import collection_rules, stream_rules
from rdbtool.operations.validate.checks.rule import KEY_RULES, Rule

#: By the flag of the Check sink.
RULES: Final[dict[str, Rule]] = KEY_RULES | collection_rules.RULES | stream_rules.RULES
