"""What clients send to a live server: random commands of all families, with clocks, chance, scripts and blocking.

Unlike ``differential.stream``, on which this builds, nothing here has to do the same at a second execution: what is
judged is the AOF that the server wrote of it.
"""

from __future__ import annotations

from collections.abc import Callable

from differential.stream import FAR, KEYS, MEMBERS, PLACES, Maker, Words

from rdbtool.engine.algorithms.xxh3 import xxh3_64

#: Executes the commands among its arguments, each with its length before it, and forgives what fails.
SCRIPT = b"""local at = 1
while ARGV[at] do
  local n = tonumber(ARGV[at])
  redis.%b(unpack(ARGV, at + 1, at + n))
  at = at + n + 1
end
return at"""
LENIENT, STRICT = SCRIPT % b"pcall", SCRIPT % b"call"
CHANCE = b"""local members = redis.call('SRANDMEMBER', KEYS[1], 3)
redis.call('SPOP', KEYS[1])
for i, member in ipairs(members) do redis.call('SADD', KEYS[2], member, math.random(1000)) end
redis.call('SET', 'time', redis.call('TIME')[1])"""
ELSEWHERE = b"""redis.call('SELECT', ARGV[1])
redis.call('SET', KEYS[1], ARGV[2])
redis.call('SELECT', 0)
if redis.set_repl then redis.set_repl(redis.REPL_NONE) end
redis.call('SET', KEYS[2], ARGV[2])
return redis.call('INCR', 'num')"""
#: For servers up to 4.0, which log scripts as they are unless a script asks for its effects.
EFFECTS = b"redis.replicate_commands()\n" + CHANCE
LIBRARY = b"""#!lua name=library
local function run(keys, args)
  local at = 1
  while args[at] do
    local n = tonumber(args[at])
    redis.pcall(unpack(args, at + 1, at + n))
    at = at + n + 1
  end
end
redis.register_function('run', run)"""

SPANS = [b"1", b"20", b"60", b"150", b"0", b"-1"]
WEIGHTS = [b"3", b"1", b"2", b"1", b"-7.5", b"10", b"1e3", b"x"]


class Workload(Maker):
    """Makes commands that a server has: ``commands`` are their upper-case names.

    ``now_ms`` (Unix ms) is when the run begins: some lifetimes end soon after. ``has_scripts``, ``has_vectors`` and
    ``has_ties`` (in SORT of sets) allow commands whose effect may be doubt.
    """

    def __init__(
        self,
        seed: int,
        commands: frozenset[bytes],
        *,
        now_ms: int,
        has_scripts: bool = False,
        has_vectors: bool = False,
        has_ties: bool = False,
    ) -> None:
        super().__init__(seed)
        self.known = commands
        self.now_ms = now_ms
        self.has_ties = has_ties
        more: list[Callable[[], Words]] = [
            *(self.expiring, self.expiring, self.field_expiry, self.field_expiry, self.field_expiry),
            *(self.spop, self.live_strings, self.live_strings, self.live_streams, self.live_streams),
            *(self.live_groups, self.live_groups, self.live_groups, self.weights, self.live_sort, self.restore_live),
            *(self.live_bits, self.live_geo, self.wipe),
        ]
        if has_scripts:
            more += [self.script, self.script]
        if has_vectors:
            more += [self.vectors] * 4
        self._families += more

    def command(self) -> Words:
        while True:
            words = super().command()
            if words[0].upper() in self.known:
                return words

    # ---- time ----------------------------------------------------------------------------------

    def lifetime(self) -> Words:
        """The words of SET and its kin that name a time; most of them are short."""
        return self.one_of(
            [b"PX", self.pick(SPANS)],
            [b"PX", self.pick(SPANS)],
            [b"EX", self.pick([b"100000", b"0"])],
            [b"PXAT", b"%d" % (self.now_ms + self.dice.randrange(-500, 700))],
            [b"PXAT", self.pick(FAR)],
            [b"EXAT", b"4102444800"],
        )

    def conditions(self) -> Words:
        return self.maybe(self.pick([b"NX", b"XX", b"GT", b"LT"]))

    def expiring(self) -> Words:
        key = self.key(self.dice.choice(list(KEYS)))
        return self.one_of(
            [b"PEXPIRE", key, self.pick(SPANS), *self.conditions()],
            [b"EXPIRE", key, self.pick([b"100000", b"-1", b"0", b"3000000000"]), *self.conditions()],
            [b"PEXPIREAT", key, b"%d" % (self.now_ms + self.dice.randrange(-500, 700)), *self.conditions()],
            [b"PERSIST", key],
            [
                b"SET",
                self.key("string"),
                self.value(),
                *self.lifetime(),
                *self.maybe(self.pick([b"NX", b"XX", b"GET"])),
            ],
            [b"PSETEX", self.key("string"), self.pick(SPANS), self.value()],
            [b"SETEX", self.key("string"), b"100000", self.value()],
            [b"GETEX", self.key("string"), *self.one_of(self.lifetime(), [b"PERSIST"])],
        )

    def field_expiry(self) -> Words:
        key = self.key("hash")
        fields = self.members(3)
        named = [b"FIELDS", *self.counted(fields)]
        pairs = [word for field in fields for word in (field, self.value())]
        # Redis 8.6.3 and Valkey 9.0.0 do not survive a field that is given twice.
        once = list(dict.fromkeys(fields))
        valued = [b"FIELDS", b"%d" % len(once), *[word for field in once for word in (field, self.value())]]
        moment = b"%d" % (self.now_ms + self.dice.randrange(-500, 700))
        return self.one_of(
            [b"HPEXPIRE", key, self.pick(SPANS), *self.conditions(), *named],
            [b"HPEXPIRE", key, self.pick(SPANS), *named],
            [b"HEXPIRE", key, self.pick([b"100000", b"0", b"-1"]), *self.conditions(), *named],
            [b"HPEXPIREAT", key, self.pick([*FAR[:2], moment]), *self.conditions(), *named],
            [b"HEXPIREAT", key, b"4102444800", *self.conditions(), *named],
            [b"HPERSIST", key, *named],
            [b"HGETEX", key, *self.one_of(self.lifetime(), [b"PERSIST"], []), *named],
            [b"HGETDEL", key, *named],
            [
                *(b"HSETEX", key, *self.maybe(self.pick([b"FNX", b"FXX", b"NX", b"XX"]))),
                *self.one_of(self.lifetime(), [b"KEEPTTL"], []),
                *valued,
            ],
            [b"HSETEX", key, *self.lifetime(), *valued],
            [b"HSET", key, *pairs],
            [b"HINCRBY", key, self.member(), b"3"],
        )

    # ---- chance, and words of newer servers ----------------------------------------------------

    def spop(self) -> Words:
        return [b"SPOP", self.key("set"), *self.maybe(self.pick([b"1", b"2", b"5", b"500"]), chance=0.6)]

    def live_strings(self) -> Words:
        key, other = self.key("string"), self.key("string")
        operand = self.pick([*MEMBERS[:8], b"0", b"1"])
        comparison = self.pick([b"IFEQ", b"IFNE", b"IFDEQ", b"IFDNE"])
        if comparison in {b"IFDEQ", b"IFDNE"}:
            # Never what is no digest: Redis 8.6.3 answers that twice.
            operand = b"%016x" % xxh3_64(operand)
        return self.one_of(
            [b"DELIFEQ", key, operand],
            [b"DELEX", key, *self.maybe(comparison, operand, chance=0.8)],
            [b"SET", key, self.value(), comparison, operand, *self.maybe(*self.lifetime()), *self.maybe(b"GET")],
            [b"SET", key, self.member()],
            [
                *(b"MSETEX", b"2", key, self.value(), other, self.value()),
                *self.maybe(self.pick([b"NX", b"XX"])),
                *self.one_of(self.lifetime(), [b"KEEPTTL"], []),
            ],
            [b"INCRBYFLOAT", b"num", self.pick([b"0.1", b"1.5", b"-3", b"1e3"])],
        )

    def live_bits(self) -> Words:
        operator = self.pick([b"DIFF", b"DIFF1", b"ANDOR", b"ONE", b"AND", b"OR", b"XOR"])
        return [b"BITOP", operator, self.key("string"), *self.some_keys("string")]

    def live_geo(self) -> Words:
        places = [self.dice.choice(PLACES[:4]) for _ in range(3)]
        shape = self.one_of(
            [b"BYRADIUS", self.pick([b"900", b"5e3"]), b"km"],
            [b"BYBOX", b"2000", b"3000", self.pick([b"km", b"KM"])],
            [b"BYPOLYGON", b"3", *[word for place in places for word in place]],
        )
        center = self.one_of([b"FROMMEMBER", self.member()], [b"FROMLONLAT", *places[0]])
        if shape[0] == b"BYPOLYGON" and self.maybe(b"x", chance=0.9):
            center = []
        return [
            *(b"GEOSEARCHSTORE", self.key("geo"), self.key("geo"), *center, *shape),
            *self.maybe(self.pick([b"ASC", b"DESC"])),
            *self.maybe(b"COUNT", self.pick([b"1", b"3"]), *self.maybe(b"ANY")),
            *self.maybe(b"STOREDIST"),
        ]

    def restore_live(self) -> Words:
        if not self.payloads:
            return [b"PING"]
        options = [
            *self.maybe(b"REPLACE", chance=0.8),
            *self.maybe(self.pick([b"IDLETIME", b"FREQ"]), b"7", chance=0.1),
        ]
        return [
            *(b"RESTORE", self.key(self.dice.choice(list(KEYS))), self.pick([b"0", b"0", b"80", b"100000000"])),
            *(self.dice.choice(self.payloads), *options),
        ]

    def weights(self) -> Words:
        """What SORT goes by: w-MEMBER, and the field f of v-MEMBER."""
        if self.maybe(b"x"):
            return [b"HSET", b"v-" + self.member(), b"f", self.pick(WEIGHTS)]
        return [b"MSET", *[word for _ in range(3) for word in (b"w-" + self.member(), self.pick(WEIGHTS))]]

    def live_sort(self) -> Words:
        kind = self.dice.choice(["list", "set", "zset"])
        # Under any name there may be a set.
        by = 0.7 if self.has_ties else 0.2 if kind == "list" else 0
        options = [
            *(self.maybe(b"BY", self.pick([b"w-*", b"v-*->f", b"nosort"]), chance=by)),
            *self.maybe(b"LIMIT", self.pick([b"0", b"1", b"-1"]), self.pick([b"2", b"10", b"-1"])),
            *self.maybe(b"GET", self.pick([b"#", b"w-*", b"v-*->f", b"none"]), *self.maybe(b"GET", b"#")),
            *self.maybe(self.pick([b"ASC", b"DESC"])),
            *self.maybe(b"ALPHA", chance=0.7),
        ]
        return [b"SORT", self.key(kind), *options, b"STORE", self.key("list")]

    def wipe(self) -> Words:
        return self.one_of(
            [b"FLUSHDB", *self.maybe(self.pick([b"ASYNC", b"SYNC"]))],
            [b"SWAPDB", self.pick([b"0", b"1"]), self.pick([b"0", b"1", b"2"])],
            *[[b"SELECT", self.pick([b"0", b"0", b"1", b"2"])]] * 14,
        )

    # ---- streams -------------------------------------------------------------------------------

    def ids(self) -> Words:
        return self.counted([self.entry_id() for _ in range(self.dice.randint(1, 3))])

    def trimming(self) -> Words:
        by = self.one_of([b"MAXLEN"], [b"MINID"])
        limit = b"%d" % self.dice.randint(0, 12) if by == [b"MAXLEN"] else self.entry_id()
        approximate = self.maybe(b"~")
        return [*by, *(approximate or self.maybe(b"=")), limit, *(self.maybe(b"LIMIT", b"5") if approximate else [])]

    def live_streams(self) -> Words:
        key = self.key("stream")
        # All ids stay in one region, or XADD could only fail after the first "*".
        place = self.pick([b"*", b"%d-*" % self.ms, b"%d-%d" % (self.ms + 1, self.dice.randrange(5))])
        if place == b"*" and self.maybe(b"x", chance=0.7):
            key = b"clock"
        reference = self.maybe(self.pick([b"KEEPREF", b"DELREF", b"ACKED"]))
        producer = self.maybe(b"IDMP", self.pick([b"p1", b"p2"]), self.member(), chance=0.1)
        fields = [word for name in self.members(3) for word in (name, self.value())]
        return self.one_of(
            [
                *(b"XADD", key, *self.maybe(b"NOMKSTREAM"), *reference, *producer),
                *(*self.maybe(*self.trimming()), place, *fields),
            ],
            [b"XADD", key, place, *fields],
            [b"XADD", key, place, *fields],
            [b"XTRIM", key, *self.trimming(), *reference],
            [b"XDEL", key, self.entry_id(), self.entry_id()],
            [b"XDELEX", key, *reference, b"IDS", *self.ids()],
            [b"XSETID", key, b"%d-%d" % (self.ms + 1, self.dice.randrange(4))],
            [b"XCFGSET", key, b"IDMP-DURATION", b"100", b"IDMP-MAXSIZE", b"10"],
        )

    def live_groups(self) -> Words:
        key = self.pick([b"clock", self.key("stream")])
        where = [key, self.pick([b"g", b"h"])]
        consumer = self.pick([b"alice", b"bob", b"carol"])
        reference = self.maybe(self.pick([b"KEEPREF", b"DELREF", b"ACKED"]))
        claim = [
            *self.maybe(self.pick([b"IDLE", b"TIME"]), self.pick([b"0", b"5000", b"1500000000000"])),
            *self.maybe(b"RETRYCOUNT", self.pick([b"0", b"7"])),
            *(*self.maybe(b"FORCE"), *self.maybe(b"JUSTID"), *self.maybe(b"LASTID", self.entry_id(), chance=0.1)),
        ]
        read = [
            *(b"XREADGROUP", b"GROUP", where[1], consumer, *self.maybe(b"COUNT", self.pick([b"1", b"3"]))),
            *(*self.maybe(b"NOACK", chance=0.1), *self.maybe(b"CLAIM", b"0", chance=0.1)),
            *(b"STREAMS", key, self.pick([b">", b">", b">", b"0"])),
        ]
        return self.one_of(
            *[read] * 4,
            [b"XGROUP", b"CREATE", *where, self.pick([b"0", b"$"]), *self.maybe(b"MKSTREAM")],
            [b"XACK", *where, self.entry_id(), self.entry_id()],
            [b"XACKDEL", *where, *reference, b"IDS", *self.ids()],
            [b"XCLAIM", *where, consumer, b"0", self.entry_id(), self.entry_id(), *claim],
            [
                *(b"XAUTOCLAIM", *where, consumer, self.pick([b"0", b"0", b"10000"]), self.pick([b"-", b"0"])),
                *(*self.maybe(b"COUNT", b"2"), *self.maybe(b"JUSTID")),
            ],
            [b"XGROUP", b"CREATECONSUMER", *where, consumer],
            [b"XGROUP", b"DELCONSUMER", *where, consumer],
            [b"XGROUP", b"SETID", *where, self.pick([b"0", b"$", self.entry_id()])],
        )

    # ---- vector sets ---------------------------------------------------------------------------

    def vectors(self) -> Words:
        key, element = self.pick([b"vec", b"vec2"]), self.pick([b"a", b"b", b"c", b"d"])
        numbers = [b"%.2f" % self.dice.uniform(-1, 1) for _ in range(4)]
        options = [*self.maybe(self.pick([b"NOQUANT", b"BIN", b"Q8"])), *self.maybe(b"SETATTR", b'{"n":1}')]
        return self.one_of(
            [b"VADD", key, b"VALUES", b"4", *numbers, element, *options],
            [b"VREM", key, element],
            [b"VSETATTR", key, element, self.pick([b'{"n":2}', b""])],
        )

    # ---- scripts, blocking ---------------------------------------------------------------------

    def arguments(self) -> Words:
        """Some commands, each with its length before it."""
        commands = [self.simple() for _ in range(self.dice.randint(1, 4))]
        return [word for words in commands for word in self.counted(words)]

    def simple(self) -> Words:
        """A command that is no script."""
        while True:
            words = self.command()
            if words[0] not in {b"EVAL", b"FCALL", b"SCRIPT", b"SELECT", b"FUNCTION"}:
                return words

    def script(self) -> Words:
        return self.one_of(
            [b"EVAL", LENIENT, b"0", *self.arguments()],
            [b"EVAL", STRICT, b"0", *self.arguments()],
            [b"EVAL", self.pick([CHANCE, EFFECTS]), b"2", self.key("set"), self.key("set")],
            [b"EVAL", ELSEWHERE, b"2", self.key("string"), self.key("string"), self.pick([b"1", b"2"]), self.value()],
            [b"EVAL", b"return redis.call('SET', KEYS[1], ARGV[1], 'PX', 40)", b"1", self.key("string"), b"v"],
            [b"SCRIPT", b"LOAD", b"return %d" % self.dice.randrange(9)],
            [b"FUNCTION", b"LOAD", b"REPLACE", LIBRARY],
            [b"FCALL", b"run", b"0", *self.arguments()],
            [b"FCALL", b"run", b"0", *self.arguments()],
        )

    def blocked(self) -> tuple[list[Words], Words, list[Words]]:
        """Return a command that blocks, between what makes it block and what serves it, or ends it with an error."""
        lists, zset, stream = self.some_keys("list"), self.key("zset"), self.key("stream")
        key = lists[0]
        push = [[self.pick([b"RPUSH", b"LPUSH"]), key, *self.members(3)]]
        add = [[b"ZADD", zset, b"1", self.member(), b"2", self.member()]]
        side, to = self.pick([b"LEFT", b"RIGHT"]), self.pick([b"LEFT", b"RIGHT"])
        group = [[b"DEL", stream], [b"XGROUP", b"CREATE", stream, b"g", b"$", b"MKSTREAM"]]
        deliver = [[b"XADD", stream, b"*", b"f", self.value()]] * self.dice.randint(1, 2)
        no_list, no_zset = [[b"DEL", key]], [[b"DEL", zset]]
        options = [
            (no_list, [self.pick([b"BLPOP", b"BRPOP"]), *lists, b"2"], push),
            (no_list, [b"BRPOPLPUSH", key, self.key("list"), b"2"], push),
            (no_list, [b"BLMOVE", key, self.key("list"), side, to, b"2"], push),
            (no_list, [b"BLMPOP", b"2", *self.counted(lists), side, b"COUNT", self.pick([b"1", b"3"])], push),
            (no_zset, [self.pick([b"BZPOPMIN", b"BZPOPMAX"]), zset, b"2"], add),
            (no_zset, [b"BZMPOP", b"2", *self.counted([zset]), self.pick([b"MIN", b"MAX"]), b"COUNT", b"2"], add),
            (group, [b"XREADGROUP", b"GROUP", b"g", b"dave", b"BLOCK", b"2000", b"STREAMS", stream, b">"], deliver),
        ]
        return self.dice.choice([option for option in options if option[1][0] in self.known])
