"""The engine: a keyspace, and the execution of one command after another.

No clock, no input or output, no scripts: whatever an AOF says is data. It reaches the state that a server
of the chosen rules reaches by loading the same commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rdbtool.core.commands import COMMANDS, CONTAINERS, TRANSACTIONS, CommandRow
from rdbtool.core.functions import script_digest
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.core.location import NOWHERE
from rdbtool.core.servers import DEFAULT, KEYDB, Product, Rules, Since
from rdbtool.engine.command_errors import ArityError, CommandError, UnknownCommandError
from rdbtool.engine.handlers import handler_of
from rdbtool.engine.inference.least_server import WORDS, UnmetNeedError
from rdbtool.engine.keyspace import Db
from rdbtool.engine.libraries import library_name
from rdbtool.engine.replies import Later, Reply
from rdbtool.engine.values import HashData, SetData, ZSetData
from rdbtool.model import FunctionLibrary, KeyRecord

if TYPE_CHECKING:
    from rdbtool.engine.inference.least_server import ServerNeeds

#: Types of which no server makes a key without elements.
NEVER_EMPTY: Final = frozenset({"hash", "list", "set", "zset"})

#: SELECT accepts numbers below this, as the servers' default configuration does.
DATABASES: Final = 16


class Engine:
    """A keyspace that executes commands.

    ``rules`` says which server's behaviour applies where servers differ, and which commands and words there are;
    ``now_ms`` (Unix ms) is the moment at which a server would load. ``products`` names the products whose own commands
    are executed; elsewhere they are unknown. ``product`` is the one whose AOF, or RDB, this turned out to be. ``dbs``
    maps numbers to databases; ``functions`` maps library names to their source, ``scripts`` SHA-1 digests in hex to
    scripts; ``kept_scripts`` are those of them that were loaded, not only run: they belong to the dataset.
    """

    def __init__(self, *, rules: Rules | str = DEFAULT, now_ms: int = 0, databases: int = DATABASES) -> None:
        self.rules = Rules.parse(rules) if isinstance(rules, str) else rules
        self.now_ms = now_ms
        self.databases = databases
        self.dbs: dict[int, Db] = {0: Db()}
        self.index = 0
        self.db = self.dbs[0]
        self.functions: dict[bytes, bytes] = {}
        self.scripts: dict[bytes, bytes] = {}
        self.kept_scripts: dict[bytes, bytes] = {}
        self.products: frozenset[str] = frozenset()
        self.product: Product | None = None
        #: The newest time stamp of each master of KeyDB whose commands were executed.
        self.masters: dict[bytes, int] = {}
        self._shared: dict[bytes, bytes] = {}
        #: What commands were seen to use, if no server was named.
        self.needs: ServerNeeds | None = None
        #: Takes note of the first use of something, for a command that has changed something before it meets it.
        self.on_need: Callable[[Since], None] | None = None
        #: By family, the oldest server that may have written the AOF, where neither a caller nor the file names it.
        self.least: Mapping[str, Rules] | None = None
        #: SET with PXAT was met, or is known to the server: a fast way needs no further question.
        self.takes_pxat = False
        self._known: set[str] = set()

    def adopt(self, rules: Rules) -> None:
        """Go on as another server."""
        self.rules = rules
        self.takes_pxat = False
        self._known.clear()

    def knows(self, command: bytes, word: bytes) -> bool:
        """Return whether the server has an option word of a command (both in upper case).

        If no server was named, it has what is needed. Raises UnmetNeedError at the first use of a word then.
        """
        since = WORDS.get(command, {}).get(word)
        return since is None or self.has(since)

    def has(self, since: Since) -> bool:
        """Return whether the server has something that came with a release; see ``knows``."""
        if self.needs is not None:
            self.needs.require(since)
        return self.rules.has(since.redis, since.valkey)

    @property
    def are_rules_guessed(self) -> bool:
        """Whether no server was named: what only some of them do alike is in doubt."""
        return self.least is not None

    def may_be(self, server: Rules) -> bool:
        """Return whether the server that wrote the AOF is unknown, and may be this one."""
        oldest = None if self.least is None else self.least.get(server.family)
        return oldest is not None and server >= oldest

    def check_known(self, row: CommandRow) -> None:
        """Raise UnknownCommandError where the server does not have a command; see ``knows``."""
        if row.is_of_servers and not self.has(row.since):
            raise UnknownCommandError(f"ERR unknown command '{row.name.lower()}' on {self.rules}")
        self._known.add(row.name)

    def execute_within(self, argv: Sequence[bytes]) -> Reply | Later:
        """Execute a command that is a part of another one, which must not be begun twice; see ``apply``."""
        while True:
            try:
                return self.apply(argv)
            except UnmetNeedError as need:
                if self.on_need is None:
                    raise
                self.on_need(need.since)

    def execute(self, *argv: str | bytes) -> Reply:
        """Execute one command and return what a server answers: ``engine.execute("SET", "key", "value") == b"OK"``.

        ``str`` arguments are encoded as UTF-8. Replies have the shapes of RESP2: bytes for a status and a bulk string,
        int, None for nil, a list for an array. A command that changes no data (GET, PING) is not carried out: its reply
        is None. Raises UnknownCommandError, ArityError, or another CommandError with a server's reply; nothing has
        changed then. Arguments beyond a fixed arity are ignored, as Redis does while loading.
        """
        reply = self.apply(tuple(_to_bytes(word) for word in argv))
        return reply() if callable(reply) else reply

    def apply(self, argv: Sequence[bytes]) -> Reply | Later:
        """Execute one command as ``execute`` does, but leave a reply that has to be built to the caller.

        Such a reply is a function, which is right until the next command.
        """
        row = self.find(argv)
        if row.name not in self._known:
            self.check_known(row)
        if len(argv) < abs(row.arity):
            raise ArityError(f"ERR wrong number of arguments for '{row.name.lower()}' command")
        return handler_of(row)(self, argv)

    @staticmethod
    def find(argv: Sequence[bytes]) -> CommandRow:
        """Return the row of a command that the engine executes. Raises UnknownCommandError."""
        row = COMMANDS.get(argv[0])
        if row is not None and row.family != TRANSACTIONS:
            return row
        name = argv[0].upper()
        if name in CONTAINERS:
            name += b" " + argv[1].upper() if len(argv) > 1 else b""
        row = COMMANDS.get(name)
        if row is None or row.family == TRANSACTIONS:
            raise UnknownCommandError(f"ERR unknown command '{name.decode('utf-8', 'backslashreplace')}'")
        return row

    def select(self, index: int) -> None:
        """Make a database the current one. Raises CommandError when it is out of range."""
        if not 0 <= index < self.databases:
            raise CommandError("ERR DB index is out of range")
        self.index = index
        self.db = self.database(index)

    def database(self, index: int) -> Db:
        """Return a database, made when it is first needed."""
        db = self.dbs.get(index)
        if db is None:
            db = self.dbs[index] = Db()
        return db

    def share(self, text: bytes) -> bytes:
        """Return an equal object that was seen before, if any: field and member names repeat a lot."""
        return self._shared.setdefault(text, text) if len(text) <= 32 and len(self._shared) < 100_000 else text

    def put(self, record: KeyRecord) -> None:
        """Put a record of an RDB into the keyspace; a key that is there gives way.

        An empty collection is left out, as by servers since Redis 6.2.
        """
        if not len(record.value) and record.kind in NEVER_EMPTY and self.rules.has((6, 2)):
            return
        from rdbtool.engine.export.key_records import record_data  # noqa: PLC0415 - convert imports the values of all families

        db = self.database(record.db)
        data = record_data(record, self.share)
        if record.member_expiries and isinstance(data, SetData | ZSetData):
            data.expires = dict(record.member_expiries)
        db.replace(record.key, data)
        if record.expire_at_ms is not None:
            db.expires[record.key] = record.expire_at_ms

    def be_product(self, product: Product) -> None:
        """Note that the dataset is that of a product, and go on as its server does."""
        self.product = product
        if product is KEYDB:
            for db in self.dbs.values():
                for data in db.keys.values():
                    if isinstance(data, HashData):
                        data.keeps = data.expires is not None

    def keep_script(self, script: bytes) -> None:
        """Load a script, as SCRIPT LOAD does."""
        name = script_digest(script)
        self.scripts[name] = self.kept_scripts[name] = script

    def load_function(self, library: FunctionLibrary) -> None:
        """Put a function library of an RDB into the engine."""
        self.functions[library_name(library.code)] = library.code

    @property
    def libraries(self) -> list[FunctionLibrary]:
        """The function libraries, as an RDB has them."""
        return [FunctionLibrary(code, released=True, span=NOWHERE) for code in self.functions.values()]

    def record(self, key: bytes) -> KeyRecord | None:
        """Return a key of the current database as a record, None if absent."""
        from rdbtool.engine.export.key_records import to_value  # noqa: PLC0415 - as above

        data = self.db.keys.get(key)
        if data is None:
            return None
        return KeyRecord(db=self.index, key=key, value=to_value(data), expire_at_ms=self.db.expires.get(key))

    def records(self) -> Iterator[KeyRecord]:
        """Yield all keys as records, database by database, in the order in which they came to be."""
        from rdbtool.engine.export.key_records import member_expiries, to_value  # noqa: PLC0415 - as above

        for index, db in sorted(self.dbs.items()):
            expires = db.expires
            for key, data in db.keys.items():
                yield KeyRecord(
                    db=index,
                    key=key,
                    value=to_value(data),
                    expire_at_ms=expires.get(key),
                    member_expiries=member_expiries(data),
                )


def _to_bytes(word: str | bytes) -> bytes:
    if isinstance(word, bytes):
        return word
    if isinstance(word, str):
        return word.encode()
    raise TypeError(f"arguments of a command are str or bytes, not {type(word).__name__}")
