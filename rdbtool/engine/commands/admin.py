"""Commands about the connection or the running server that matter to a dataset after all.

Servers never write them into an AOF, but execute them when they load one: RESET goes back to database 0, and some end
the server, or give it the dataset of another.
"""

from __future__ import annotations

from collections.abc import Sequence

from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.engine.arguments import parse_int
from rdbtool.engine.command_errors import CommandError, UnknownEffectError
from rdbtool.engine.handlers import command
from rdbtool.engine.replies import OK, Reply

if TYPE_CHECKING:
    from rdbtool.engine.engine import Engine

_ENDS: Final = "a server that meets it in an AOF ends"
_BECOMES_REPLICA: Final = "the server becomes a replica, and takes the dataset of another one"
_MOVES_SLOTS: Final = "slots and their keys move between servers"

#: Subcommands of DEBUG that leave the dataset alone.
_HARMLESS_DEBUG: Final = frozenset(
    b"DIGEST DIGEST-VALUE HELP HTSTATS HTSTATS-KEY JMAP LISTPACK LOG OBJECT PROTOCOL SDSLEN SET-ACTIVE-EXPIRE SLEEP "
    b"STRINGMATCH-LEN".split()
)


@command("RESET")
def reset(engine: Engine, argv: Sequence[bytes]) -> Reply:  # noqa: ARG001 - the handlers' signature
    """RESET: what follows goes to database 0."""
    engine.select(0)
    return b"RESET"


@command("DEBUG")
def debug(_engine: Engine, argv: Sequence[bytes]) -> Reply:
    """DEBUG subcommand [argument ...]: some change the dataset or end the server."""
    if argv[1].upper() not in _HARMLESS_DEBUG:
        raise UnknownEffectError("what this subcommand of DEBUG does differs between servers")
    return None


@command("WAIT")
def wait(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """WAIT numreplicas timeout: before 7.2 a server asserts that it does not wait while it loads."""
    if not engine.rules.has((7, 2)) and parse_int(argv[1]) > 0:
        raise UnknownEffectError(_ENDS)
    # A server that loads has no replicas.
    return 0


@command("SHUTDOWN")
def shutdown(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]."""
    words = {word.upper() for word in argv[1:]}
    if not engine.rules.has((7, 0)) or b"NOW" in words:
        raise UnknownEffectError(_ENDS)
    if b"ABORT" in words:
        raise CommandError("ERR No shutdown in progress.")
    raise CommandError("ERR SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client")


def _listen(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """Refuse what turns a connection into a listener; before 6.2 a server ends then."""
    name = argv[0].decode("ascii").upper()
    if not engine.rules.has((6, 2)):
        raise UnknownEffectError(_ENDS)
    article = "" if name == "MONITOR" else "a "
    raise CommandError(f"ERR {name} isn't allowed for {article}DENY BLOCKING client")


command("MONITOR")(_listen)
command("SUBSCRIBE")(_listen)
command("PSUBSCRIBE")(_listen)
command("SSUBSCRIBE")(_listen)


@command("SLAVEOF")
@command("REPLICAOF")
def replicaof(_engine: Engine, argv: Sequence[bytes]) -> Reply:
    """REPLICAOF host port | NO ONE."""
    if [word.upper() for word in argv[1:3]] != [b"NO", b"ONE"]:
        raise UnknownEffectError(_BECOMES_REPLICA)
    return OK


@command("PSYNC")
def psync(_engine: Engine, _argv: Sequence[bytes]) -> Reply:
    """PSYNC replicationid offset."""
    raise UnknownEffectError(_ENDS)


@command("CLUSTER REPLICATE")
def cluster_replicate(_engine: Engine, _argv: Sequence[bytes]) -> Reply:
    """CLUSTER REPLICATE node."""
    raise UnknownEffectError(_BECOMES_REPLICA)


@command("CLUSTER MIGRATION")
@command("CLUSTER MIGRATESLOTS")
def migrate_slots(_engine: Engine, _argv: Sequence[bytes]) -> Reply:
    """CLUSTER MIGRATION, CLUSTER MIGRATESLOTS."""
    raise UnknownEffectError(_MOVES_SLOTS)
