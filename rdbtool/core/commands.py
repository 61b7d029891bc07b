"""The command table: name, arity, first versions, key positions, family. Data only; handlers register against it.

Every lookup of a command by name uses this table: the engine, ``history``, the validators, salvage, and messages. It is
complete without the handlers (``rdbtool.engine.commands``), which are imported only where commands are executed.
"""

from __future__ import annotations

from rdbtool.core.light_typing import Final, Literal, NamedTuple, get_args
from rdbtool.core.servers import KEYDB, Product, Release, Since

#: ``write``: may change the dataset; servers write it, or its effect, to an AOF. ``aof``: occurs in AOFs without
#: changing the dataset. ``sweeps``: touches keys that it does not name. ``inert``: never changes the dataset, and has
#: no handler.
Flag = Literal["write", "aof", "sweeps", "inert"]

#: The family whose commands are executed by the replay, not by the engine.
TRANSACTIONS: Final = "transactions"

#: Families of products only.
_PRODUCTS: Final = {"keydb": KEYDB}

#: By family: name, arity (it counts the name; negative: at least), first Redis, first Valkey, key positions, flags.
#: Container and subcommand are joined by a bar. Valkey began as Redis 7.2.
#:
#: Key positions are arguments: ``first``, ``first:last`` or ``first:last:step``; a negative ``last`` counts from the
#: end. ``numkeys:N``: argument N is the number of keys that follow it (``1+numkeys:N``: argument 1 is a key too),
#: ``numpairs:N`` the number of key-value pairs. ``1+store``: argument 1, and what follows STORE and STOREDIST.
#: ``streams``: the first half of what follows STREAMS. ``migrate``: argument 3, or what follows KEYS.
_TABLE: Final = """
[transactions]
DISCARD                         1  2.0.0  7.2.0  -            -
EXEC                            1  1.2.0  7.2.0  -            aof
MULTI                           1  1.2.0  7.2.0  -            aof

[strings]
APPEND                          3  2.0.0  7.2.0  1            write
DELEX                          -2  8.4.0  -      1            write
DELIFEQ                         3  -      9.0.0  1            write
GETDEL                          2  6.2.0  7.2.0  1            write
GETEX                          -2  6.2.0  7.2.0  1            write
GETSET                          3  1.0.0  7.2.0  1            write
MSET                           -3  1.0.1  7.2.0  1:-1:2       write
MSETEX                         -4  8.4.0  9.1.0  numpairs:1   write
MSETNX                         -3  1.0.1  7.2.0  1:-1:2       write
PSETEX                          4  2.6.0  7.2.0  1            write
SET                            -3  1.0.0  7.2.0  1            write
SETEX                           4  2.0.0  7.2.0  1            write
SETNX                           3  1.0.0  7.2.0  1            write
SETRANGE                        4  2.2.0  7.2.0  1            write

[counters]
DECR                            2  1.0.0  7.2.0  1            write
DECRBY                          3  1.0.0  7.2.0  1            write
INCR                            2  1.0.0  7.2.0  1            write
INCRBY                          3  1.0.0  7.2.0  1            write
INCRBYFLOAT                     3  2.6.0  7.2.0  1            write

[bits]
BITFIELD                       -2  3.2.0  7.2.0  1            write
BITOP                          -4  2.6.0  7.2.0  2:-1         write
SETBIT                          4  2.2.0  7.2.0  1            write

[hyperloglog]
PFADD                          -2  2.8.9  7.2.0  1            write
PFCOUNT                        -2  2.8.9  7.2.0  1:-1         write
PFDEBUG                         3  2.8.9  7.2.0  2            write
PFMERGE                        -2  2.8.9  7.2.0  1:-1         write

[keys]
COPY                           -3  6.2.0  7.2.0  1:2          write
DEL                            -2  1.0.0  7.2.0  1:-1         write
EXPIRE                         -3  1.0.0  7.2.0  1            write
EXPIREAT                       -3  1.2.0  7.2.0  1            write
FLUSHALL                       -1  1.0.0  7.2.0  -            write,sweeps
FLUSHDB                        -1  1.0.0  7.2.0  -            write,sweeps
MOVE                            3  1.0.0  7.2.0  1            write
PERSIST                         2  2.2.0  7.2.0  1            write
PEXPIRE                        -3  2.6.0  7.2.0  1            write
PEXPIREAT                      -3  2.6.0  7.2.0  1            write
RENAME                          3  1.0.0  7.2.0  1:2          write
RENAMENX                        3  1.0.0  7.2.0  1:2          write
SELECT                          2  1.0.0  7.2.0  -            aof
SWAPDB                          3  4.0.0  7.2.0  -            write,sweeps
UNLINK                         -2  4.0.0  7.2.0  1:-1         write

[lists]
BLMOVE                          6  6.2.0  7.2.0  1:2          write
BLMPOP                         -5  7.0.0  7.2.0  numkeys:2    write
BLPOP                          -3  2.0.0  7.2.0  1:-2         write
BRPOP                          -3  2.0.0  7.2.0  1:-2         write
BRPOPLPUSH                      4  2.2.0  7.2.0  1:2          write
LINSERT                         5  2.2.0  7.2.0  1            write
LMOVE                           5  6.2.0  7.2.0  1:2          write
LMPOP                          -4  7.0.0  7.2.0  numkeys:1    write
LPOP                           -2  1.0.0  7.2.0  1            write
LPUSH                          -3  1.0.0  7.2.0  1            write
LPUSHX                         -3  2.2.0  7.2.0  1            write
LREM                            4  1.0.0  7.2.0  1            write
LSET                            4  1.0.0  7.2.0  1            write
LTRIM                           4  1.0.0  7.2.0  1            write
RPOP                           -2  1.0.0  7.2.0  1            write
RPOPLPUSH                       3  1.2.0  7.2.0  1:2          write
RPUSH                          -3  1.0.0  7.2.0  1            write
RPUSHX                         -3  2.2.0  7.2.0  1            write

[sets]
SADD                           -3  1.0.0  7.2.0  1            write
SDIFFSTORE                     -3  1.0.0  7.2.0  1:-1         write
SINTERSTORE                    -3  1.0.0  7.2.0  1:-1         write
SMOVE                           4  1.0.0  7.2.0  1:2          write
SPOP                           -2  1.0.0  7.2.0  1            write
SREM                           -3  1.0.0  7.2.0  1            write
SUNIONSTORE                    -3  1.0.0  7.2.0  1:-1         write

[zsets]
BZMPOP                         -5  7.0.0  7.2.0  numkeys:2    write
BZPOPMAX                       -3  5.0.0  7.2.0  1:-2         write
BZPOPMIN                       -3  5.0.0  7.2.0  1:-2         write
ZADD                           -4  1.2.0  7.2.0  1            write
ZINCRBY                         4  1.2.0  7.2.0  1            write
ZMPOP                          -4  7.0.0  7.2.0  numkeys:1    write
ZPOPMAX                        -2  5.0.0  7.2.0  1            write
ZPOPMIN                        -2  5.0.0  7.2.0  1            write
ZREM                           -3  1.2.0  7.2.0  1            write
ZREMRANGEBYLEX                  4  2.8.9  7.2.0  1            write
ZREMRANGEBYRANK                 4  2.0.0  7.2.0  1            write
ZREMRANGEBYSCORE                4  1.2.0  7.2.0  1            write

[zstores]
ZDIFFSTORE                     -4  6.2.0  7.2.0  1+numkeys:2  write
ZINTERSTORE                    -4  2.0.0  7.2.0  1+numkeys:2  write
ZRANGESTORE                    -5  6.2.0  7.2.0  1:2          write
ZUNIONSTORE                    -4  2.0.0  7.2.0  1+numkeys:2  write

[hashes]
HDEL                           -3  2.0.0  7.2.0  1            write
HINCRBY                         4  2.0.0  7.2.0  1            write
HINCRBYFLOAT                    4  2.6.0  7.2.0  1            write
HMSET                          -4  2.0.0  7.2.0  1            write
HSET                           -4  2.0.0  7.2.0  1            write
HSETNX                          4  2.0.0  7.2.0  1            write

[hashttl]
HEXPIRE                        -6  7.4.0  9.0.0  1            write
HEXPIREAT                      -6  7.4.0  9.0.0  1            write
HGETDEL                        -5  8.0.0  9.1.0  1            write
HGETEX                         -5  8.0.0  9.0.0  1            write
HPERSIST                       -5  7.4.0  9.0.0  1            write
HPEXPIRE                       -6  7.4.0  9.0.0  1            write
HPEXPIREAT                     -6  7.4.0  9.0.0  1            write
HSETEX                         -6  8.0.0  9.0.0  1            write

[geo]
GEOADD                         -5  3.2.0  7.2.0  1            write
GEORADIUS                      -6  3.2.0  7.2.0  1+store      write
GEORADIUSBYMEMBER              -5  3.2.0  7.2.0  1+store      write
GEOSEARCHSTORE                 -8  6.2.0  7.2.0  1:2          write

[sort]
SORT                           -2  1.0.0  7.2.0  1+store      write

[streams]
XADD                           -5  5.0.0  7.2.0  1            write
XCFGSET                        -4  8.6.0  -      1            write
XDEL                           -3  5.0.0  7.2.0  1            write
XDELEX                         -5  8.2.0  -      1            write
XIDMPRECORD                     5  8.6.0  -      1            write
XSETID                         -3  5.0.0  7.2.0  1            write
XTRIM                          -4  5.0.0  7.2.0  1            write

[groups]
XACK                           -4  5.0.0  7.2.0  1            write
XACKDEL                        -6  8.2.0  -      1            write
XGROUP|CREATE                  -5  5.0.0  7.2.0  2            write
XGROUP|CREATECONSUMER           5  6.2.0  7.2.0  2            write
XGROUP|DELCONSUMER              5  5.0.0  7.2.0  2            write
XGROUP|DESTROY                  4  5.0.0  7.2.0  2            write
XGROUP|SETID                   -5  5.0.0  7.2.0  2            write
XNACK                          -7  8.8.0  -      1            write

[claims]
XAUTOCLAIM                     -6  6.2.0  7.2.0  1            write
XCLAIM                         -6  5.0.0  7.2.0  1            write
XREADGROUP                     -7  5.0.0  7.2.0  streams      write

[restore]
RESTORE                        -4  2.6.0  7.2.0  1            write
RESTORE-ASKING                 -4  3.0.0  7.2.0  1            write

[server]
CLUSTER|FLUSHSLOT              -3  -      9.0.0  -            write,sweeps
FCALL                          -3  7.0.0  7.2.0  numkeys:2    write
FUNCTION|DELETE                 3  7.0.0  7.2.0  -            write
FUNCTION|FLUSH                 -2  7.0.0  7.2.0  -            write
FUNCTION|LOAD                  -3  7.0.0  7.2.0  -            write
FUNCTION|RESTORE               -3  7.0.0  7.2.0  -            write
MIGRATE                        -6  2.6.0  7.2.0  migrate      write
SFLUSH                         -3  8.0.0  -      -            write,sweeps
TRIMSLOTS                      -5  8.4.0  -      -            write,sweeps

[server]
ACL|CAT                        -2  6.0.0  7.2.0  -            inert
ACL|DELUSER                    -3  6.0.0  7.2.0  -            inert
ACL|DRYRUN                     -4  7.0.0  7.2.0  -            inert
ACL|GENPASS                    -2  6.0.0  7.2.0  -            inert
ACL|GETUSER                     3  6.0.0  7.2.0  -            inert
ACL|HELP                        2  6.0.0  7.2.0  -            inert
ACL|LIST                        2  6.0.0  7.2.0  -            inert
ACL|LOAD                        2  6.0.0  7.2.0  -            inert
ACL|LOG                        -2  6.0.0  7.2.0  -            inert
ACL|SAVE                        2  6.0.0  7.2.0  -            inert
ACL|SETUSER                    -3  6.0.0  7.2.0  -            inert
ACL|USERS                       2  6.0.0  7.2.0  -            inert
ACL|WHOAMI                      2  6.0.0  7.2.0  -            inert
ARCOUNT                         2  8.8.0  -      -            inert
ARGET                           3  8.8.0  -      -            inert
ARGETRANGE                      4  8.8.0  -      -            inert
ARGREP                         -6  8.8.0  -      -            inert
ARINFO                         -2  8.8.0  -      -            inert
ARLASTITEMS                    -3  8.8.0  -      -            inert
ARLEN                           2  8.8.0  -      -            inert
ARMGET                         -3  8.8.0  -      -            inert
ARNEXT                          2  8.8.0  -      -            inert
AROP                           -5  8.8.0  -      -            inert
ARSCAN                         -4  8.8.0  -      -            inert
ASKING                          1  3.0.0  7.2.0  -            inert
AUTH                           -2  1.0.0  7.2.0  -            inert
BACKUP|ABORT                    2  8.10.0 -      -            inert
BACKUP|CLEANUP                  2  8.10.0 -      -            inert
BACKUP|HELP                     2  8.10.0 -      -            inert
BACKUP|LIST                     2  8.10.0 -      -            inert
BACKUP|SEAL                     2  8.10.0 -      -            inert
BACKUP|START                    2  8.10.0 -      -            inert
BACKUP|STATUS                   2  8.10.0 -      -            inert
BGREWRITEAOF                    1  1.0.0  7.2.0  -            inert
BGSAVE                         -1  1.0.0  7.2.0  -            inert
BITCOUNT                       -2  2.6.0  7.2.0  -            inert
BITFIELD_RO                    -2  6.0.0  7.2.0  -            inert
BITPOS                         -3  2.8.0  7.2.0  -            inert
CLIENT|CACHING                  3  6.0.0  7.2.0  -            inert
CLIENT|CAPA                    -3  -      8.0.0  -            inert
CLIENT|GETNAME                  2  2.6.0  7.2.0  -            inert
CLIENT|GETREDIR                 2  6.0.0  7.2.0  -            inert
CLIENT|HELP                     2  5.0.0  7.2.0  -            inert
CLIENT|ID                       2  5.0.0  7.2.0  -            inert
CLIENT|IMPORT-SOURCE            3  -      8.1.0  -            inert
CLIENT|INFO                     2  6.2.0  7.2.0  -            inert
CLIENT|KILL                    -3  2.4.0  7.2.0  -            inert
CLIENT|LIST                    -2  2.4.0  7.2.0  -            inert
CLIENT|NO-EVICT                 3  7.0.0  7.2.0  -            inert
CLIENT|NO-TOUCH                 3  7.2.0  7.2.0  -            inert
CLIENT|PAUSE                   -3  3.0.0  7.2.0  -            inert
CLIENT|REPLY                    3  3.2.0  7.2.0  -            inert
CLIENT|SETINFO                  4  7.2.0  7.2.0  -            inert
CLIENT|SETNAME                  3  2.6.0  7.2.0  -            inert
CLIENT|TRACKING                -3  6.0.0  7.2.0  -            inert
CLIENT|TRACKINGINFO             2  6.2.0  7.2.0  -            inert
CLIENT|UNBLOCK                 -3  5.0.0  7.2.0  -            inert
CLIENT|UNPAUSE                  2  6.2.0  7.2.0  -            inert
CLUSTER|ADDSLOTS               -3  3.0.0  7.2.0  -            inert
CLUSTER|ADDSLOTSRANGE          -4  7.0.0  7.2.0  -            inert
CLUSTER|BUMPEPOCH               2  3.0.0  7.2.0  -            inert
CLUSTER|CANCELSLOTMIGRATIONS    2  -      9.0.0  -            inert
CLUSTER|COUNT-FAILURE-REPORTS   3  3.0.0  7.2.0  -            inert
CLUSTER|COUNTKEYSINSLOT         3  3.0.0  7.2.0  -            inert
CLUSTER|DELSLOTS               -3  3.0.0  7.2.0  -            inert
CLUSTER|DELSLOTSRANGE          -4  7.0.0  7.2.0  -            inert
CLUSTER|FAILOVER               -2  3.0.0  7.2.0  -            inert
CLUSTER|FLUSHSLOTS              2  3.0.0  7.2.0  -            inert
CLUSTER|FORGET                  3  3.0.0  7.2.0  -            inert
CLUSTER|GETKEYSINSLOT           4  3.0.0  7.2.0  -            inert
CLUSTER|GETSLOTMIGRATIONS       2  -      9.0.0  -            inert
CLUSTER|HELP                    2  5.0.0  7.2.0  -            inert
CLUSTER|INFO                    2  3.0.0  7.2.0  -            inert
CLUSTER|KEYSLOT                 3  3.0.0  7.2.0  -            inert
CLUSTER|LINKS                   2  7.0.0  7.2.0  -            inert
CLUSTER|MEET                   -4  3.0.0  7.2.0  -            inert
CLUSTER|MYID                    2  3.0.0  7.2.0  -            inert
CLUSTER|MYSHARDID               2  7.2.0  7.2.0  -            inert
CLUSTER|NODES                   2  3.0.0  7.2.0  -            inert
CLUSTER|REPLICAS                3  5.0.0  7.2.0  -            inert
CLUSTER|RESET                  -2  3.0.0  7.2.0  -            inert
CLUSTER|SAVECONFIG              2  3.0.0  7.2.0  -            inert
CLUSTER|SET-CONFIG-EPOCH        3  3.0.0  7.2.0  -            inert
CLUSTER|SETSLOT                -4  3.0.0  7.2.0  -            inert
CLUSTER|SHARDS                  2  7.0.0  7.2.0  -            inert
CLUSTER|SLAVES                  3  3.0.0  7.2.0  -            inert
CLUSTER|SLOT-STATS             -4  8.2.0  8.0.0  -            inert
CLUSTER|SLOTS                   2  3.0.0  7.2.0  -            inert
CLUSTER|SYNCSLOTS              -3  8.4.0  9.0.0  -            inert
CLUSTERSCAN                    -2  -      9.1.0  -            inert
COMMAND                        -1  2.8.0  7.2.0  -            inert
COMMAND|COUNT                   2  2.8.0  7.2.0  -            inert
COMMAND|DOCS                   -2  7.0.0  7.2.0  -            inert
COMMAND|GETKEYS                -3  2.8.0  7.2.0  -            inert
COMMAND|GETKEYSANDFLAGS        -3  7.0.0  7.2.0  -            inert
COMMAND|HELP                    2  5.0.0  7.2.0  -            inert
COMMAND|INFO                   -2  2.8.0  7.2.0  -            inert
COMMAND|LIST                   -2  7.0.0  7.2.0  -            inert
COMMANDLOG|GET                  4  -      8.1.0  -            inert
COMMANDLOG|HELP                 2  -      8.1.0  -            inert
COMMANDLOG|LEN                  3  -      8.1.0  -            inert
COMMANDLOG|RESET                3  -      8.1.0  -            inert
CONFIG|GET                     -3  2.0.0  7.2.0  -            inert
CONFIG|HELP                     2  5.0.0  7.2.0  -            inert
CONFIG|RESETSTAT                2  2.0.0  7.2.0  -            inert
CONFIG|REWRITE                  2  2.8.0  7.2.0  -            inert
CONFIG|SET                     -4  2.0.0  7.2.0  -            inert
DBSIZE                          1  1.0.0  7.2.0  -            inert
DIGEST                          2  8.4.0  -      -            inert
DUMP                            2  2.6.0  7.2.0  -            inert
ECHO                            2  1.0.0  7.2.0  -            inert
EVALSHA_RO                     -3  7.0.0  7.2.0  -            inert
EVAL_RO                        -3  7.0.0  7.2.0  -            inert
EXISTS                         -2  1.0.0  7.2.0  -            inert
EXPIRETIME                      2  7.0.0  7.2.0  -            inert
FAILOVER                       -1  6.2.0  7.2.0  -            inert
FCALL_RO                       -3  7.0.0  7.2.0  -            inert
FUNCTION|DUMP                   2  7.0.0  7.2.0  -            inert
FUNCTION|HELP                   2  7.0.0  7.2.0  -            inert
FUNCTION|KILL                   2  7.0.0  7.2.0  -            inert
FUNCTION|LIST                  -2  7.0.0  7.2.0  -            inert
FUNCTION|STATS                  2  7.0.0  7.2.0  -            inert
GEODIST                        -4  3.2.0  7.2.0  -            inert
GEOHASH                        -2  3.2.0  7.2.0  -            inert
GEOPOS                         -2  3.2.0  7.2.0  -            inert
GEORADIUSBYMEMBER_RO           -5  3.2.0  7.2.0  -            inert
GEORADIUS_RO                   -6  3.2.0  7.2.0  -            inert
GEOSEARCH                      -7  6.2.0  7.2.0  -            inert
GET                             2  1.0.0  7.2.0  -            inert
GETBIT                          3  2.2.0  7.2.0  -            inert
GETRANGE                        4  2.4.0  7.2.0  -            inert
HELLO                          -1  6.0.0  7.2.0  -            inert
HEXISTS                         3  2.0.0  7.2.0  -            inert
HEXPIRETIME                    -5  7.4.0  9.0.0  -            inert
HGET                            3  2.0.0  7.2.0  -            inert
HGETALL                         2  2.0.0  7.2.0  -            inert
HIMPORT|DISCARD                 3  8.10.0 -      -            inert
HIMPORT|DISCARDALL              2  8.10.0 -      -            inert
HIMPORT|PREPARE                -4  8.10.0 -      -            inert
HKEYS                           2  2.0.0  7.2.0  -            inert
HLEN                            2  2.0.0  7.2.0  -            inert
HMGET                          -3  2.0.0  7.2.0  -            inert
HOTKEYS|GET                     2  8.6.0  -      -            inert
HOTKEYS|HELP                    2  8.6.0  -      -            inert
HOTKEYS|RESET                   2  8.6.0  -      -            inert
HOTKEYS|START                  -2  8.6.0  -      -            inert
HOTKEYS|STOP                    2  8.6.0  -      -            inert
HPEXPIRETIME                   -5  7.4.0  9.0.0  -            inert
HPTTL                          -5  7.4.0  9.0.0  -            inert
HRANDFIELD                     -2  6.2.0  7.2.0  -            inert
HSCAN                          -3  2.8.0  7.2.0  -            inert
HSTRLEN                         3  3.2.0  7.2.0  -            inert
HTTL                           -5  7.4.0  9.0.0  -            inert
HVALS                           2  2.0.0  7.2.0  -            inert
INFO                           -1  1.0.0  7.2.0  -            inert
KEYS                            2  1.0.0  7.2.0  -            inert
LASTSAVE                        1  1.0.0  7.2.0  -            inert
LATENCY|DOCTOR                  2  2.8.0  7.2.0  -            inert
LATENCY|GRAPH                   3  2.8.0  7.2.0  -            inert
LATENCY|HELP                    2  2.8.0  7.2.0  -            inert
LATENCY|HISTOGRAM              -2  7.0.0  7.2.0  -            inert
LATENCY|HISTORY                 3  2.8.0  7.2.0  -            inert
LATENCY|LATEST                  2  2.8.0  7.2.0  -            inert
LATENCY|RESET                  -2  2.8.0  7.2.0  -            inert
LCS                            -3  7.0.0  7.2.0  -            inert
LINDEX                          3  1.0.0  7.2.0  -            inert
LLEN                            2  1.0.0  7.2.0  -            inert
LOLWUT                         -1  5.0.0  7.2.0  -            inert
LPOS                           -3  6.0.0  7.2.0  -            inert
LRANGE                          4  1.0.0  7.2.0  -            inert
MEMORY|DOCTOR                   2  4.0.0  7.2.0  -            inert
MEMORY|HELP                     2  4.0.0  7.2.0  -            inert
MEMORY|MALLOC-STATS             2  4.0.0  7.2.0  -            inert
MEMORY|PURGE                    2  4.0.0  7.2.0  -            inert
MEMORY|STATS                    2  4.0.0  7.2.0  -            inert
MEMORY|USAGE                   -3  4.0.0  7.2.0  -            inert
MGET                           -2  1.0.0  7.2.0  -            inert
MODULE|HELP                     2  5.0.0  7.2.0  -            inert
MODULE|LIST                     2  4.0.0  7.2.0  -            inert
MODULE|LOAD                    -3  4.0.0  7.2.0  -            inert
MODULE|LOADEX                  -3  7.0.0  7.2.0  -            inert
MODULE|UNLOAD                   3  4.0.0  7.2.0  -            inert
OBJECT|ENCODING                 3  2.2.0  7.2.0  -            inert
OBJECT|FREQ                     3  4.0.0  7.2.0  -            inert
OBJECT|HELP                     2  6.2.0  7.2.0  -            inert
OBJECT|IDLETIME                 3  2.2.0  7.2.0  -            inert
OBJECT|REFCOUNT                 3  2.2.0  7.2.0  -            inert
PEXPIRETIME                     2  7.0.0  7.2.0  -            inert
PFSELFTEST                      1  2.8.0  7.2.0  -            inert
PING                           -1  1.0.0  7.2.0  -            inert
PTTL                            2  2.6.0  7.2.0  -            inert
PUBLISH                         3  2.0.0  7.2.0  -            aof,inert
PUBSUB|CHANNELS                -2  2.8.0  7.2.0  -            inert
PUBSUB|HELP                     2  6.2.0  7.2.0  -            inert
PUBSUB|NUMPAT                   2  2.8.0  7.2.0  -            inert
PUBSUB|NUMSUB                  -2  2.8.0  7.2.0  -            inert
PUBSUB|SHARDCHANNELS           -2  7.0.0  7.2.0  -            inert
PUBSUB|SHARDNUMSUB             -2  7.0.0  7.2.0  -            inert
PUNSUBSCRIBE                   -1  2.0.0  7.2.0  -            inert
QUIT                           -1  1.0.0  7.2.0  -            inert
RANDOMKEY                       1  1.0.0  7.2.0  -            inert
READONLY                        1  3.0.0  7.2.0  -            inert
READWRITE                       1  3.0.0  7.2.0  -            inert
REPLCONF                       -1  3.0.0  7.2.0  -            inert
ROLE                            1  2.8.0  7.2.0  -            inert
SAVE                            1  1.0.0  7.2.0  -            inert
SCAN                           -2  2.8.0  7.2.0  -            inert
SCARD                           2  1.0.0  7.2.0  -            inert
SCRIPT|DEBUG                   -3  3.2.0  7.2.0  -            inert
SCRIPT|EXISTS                  -3  2.6.0  7.2.0  -            inert
SCRIPT|HELP                     2  5.0.0  7.2.0  -            inert
SCRIPT|KILL                     2  2.6.0  7.2.0  -            inert
SCRIPT|SHOW                     3  -      8.0.0  -            inert
SDIFF                          -2  1.0.0  7.2.0  -            inert
SDIFFCARD                      -3  8.10.0 -      -            inert
SINTER                         -2  1.0.0  7.2.0  -            inert
SINTERCARD                     -3  7.0.0  7.2.0  -            inert
SISMEMBER                       3  1.0.0  7.2.0  -            inert
SLOWLOG|GET                    -2  2.2.0  7.2.0  -            inert
SLOWLOG|HELP                    2  6.2.0  7.2.0  -            inert
SLOWLOG|LEN                     2  2.2.0  7.2.0  -            inert
SLOWLOG|RESET                   2  2.2.0  7.2.0  -            inert
SMEMBERS                        2  1.0.0  7.2.0  -            inert
SMISMEMBER                     -3  6.2.0  7.2.0  -            inert
SORT_RO                        -2  7.0.0  7.2.0  -            inert
SPUBLISH                        3  7.0.0  7.2.0  -            aof,inert
SRANDMEMBER                    -2  1.0.0  7.2.0  -            inert
SSCAN                          -3  2.8.0  7.2.0  -            inert
STRLEN                          2  2.2.0  7.2.0  -            inert
SUBSTR                          4  1.0.0  7.2.0  -            inert
SUNION                         -2  1.0.0  7.2.0  -            inert
SUNIONCARD                     -3  8.10.0 -      -            inert
SUNSUBSCRIBE                   -1  7.0.0  7.2.0  -            inert
SYNC                            1  1.0.0  7.2.0  -            inert
TIME                            1  2.6.0  7.2.0  -            inert
TOUCH                          -2  3.2.0  7.2.0  -            inert
TTL                             2  1.0.0  7.2.0  -            inert
TYPE                            2  1.0.0  7.2.0  -            inert
UNSUBSCRIBE                    -1  2.0.0  7.2.0  -            inert
UNWATCH                         1  2.2.0  7.2.0  -            inert
VCARD                           2  8.0.0  -      -            inert
VDIM                            2  8.0.0  -      -            inert
VEMB                           -3  8.0.0  -      -            inert
VGETATTR                        3  8.0.0  -      -            inert
VINFO                           2  8.0.0  -      -            inert
VISMEMBER                       3  8.0.0  -      -            inert
VLINKS                         -3  8.0.0  -      -            inert
VRANDMEMBER                    -2  8.0.0  -      -            inert
VRANGE                         -4  8.4.0  -      -            inert
VSIM                           -4  8.0.0  -      -            inert
WAITAOF                         4  7.2.0  7.2.0  -            inert
WATCH                          -2  2.2.0  7.2.0  -            inert
XGROUP|HELP                     2  5.0.0  7.2.0  -            inert
XINFO|CONSUMERS                 4  5.0.0  7.2.0  -            inert
XINFO|GROUPS                    3  5.0.0  7.2.0  -            inert
XINFO|HELP                      2  5.0.0  7.2.0  -            inert
XINFO|STREAM                   -3  5.0.0  7.2.0  -            inert
XLEN                            2  5.0.0  7.2.0  -            inert
XPENDING                       -3  5.0.0  7.2.0  -            inert
XRANGE                         -4  5.0.0  7.2.0  -            inert
XREAD                          -4  5.0.0  7.2.0  -            inert
XREVRANGE                      -4  5.0.0  7.2.0  -            inert
ZCARD                           2  1.2.0  7.2.0  -            inert
ZCOUNT                          4  2.0.0  7.2.0  -            inert
ZDIFF                          -3  6.2.0  7.2.0  -            inert
ZINTER                         -3  6.2.0  7.2.0  -            inert
ZINTERCARD                     -3  7.0.0  7.2.0  -            inert
ZLEXCOUNT                       4  2.8.0  7.2.0  -            inert
ZMSCORE                        -3  6.2.0  7.2.0  -            inert
ZRANDMEMBER                    -2  6.2.0  7.2.0  -            inert
ZRANGE                         -4  1.2.0  7.2.0  -            inert
ZRANGEBYLEX                    -4  2.8.0  7.2.0  -            inert
ZRANGEBYSCORE                  -4  1.0.0  7.2.0  -            inert
ZRANK                          -3  2.0.0  7.2.0  -            inert
ZREVRANGE                      -4  1.2.0  7.2.0  -            inert
ZREVRANGEBYLEX                 -4  2.8.0  7.2.0  -            inert
ZREVRANGEBYSCORE               -4  2.2.0  7.2.0  -            inert
ZREVRANK                       -3  2.0.0  7.2.0  -            inert
ZSCAN                          -3  2.8.0  7.2.0  -            inert
ZSCORE                          3  1.2.0  7.2.0  -            inert
ZUNION                         -3  6.2.0  7.2.0  -            inert

[scripts]
EVAL                           -3  2.6.0  7.2.0  numkeys:2    write
EVALSHA                        -3  2.6.0  7.2.0  numkeys:2    write
SCRIPT|FLUSH                   -2  2.6.0  7.2.0  -            write
SCRIPT|LOAD                     3  2.6.0  7.2.0  -            write

[admin]
CLUSTER|MIGRATESLOTS           -4  -      9.0.0  -            -
CLUSTER|MIGRATION              -4  8.4.0  -      -            -
CLUSTER|REPLICATE              -3  3.0.0  7.2.0  -            -
DEBUG                          -2  1.0.0  7.2.0  -            -
MONITOR                         1  1.0.0  7.2.0  -            -
PSUBSCRIBE                     -2  2.0.0  7.2.0  -            -
PSYNC                          -3  2.8.0  7.2.0  -            -
REPLICAOF                       3  5.0.0  7.2.0  -            -
RESET                           1  6.2.0  7.2.0  -            -
SHUTDOWN                       -1  1.0.0  7.2.0  -            -
SLAVEOF                         3  1.0.0  7.2.0  -            -
SSUBSCRIBE                     -2  7.0.0  7.2.0  -            -
SUBSCRIBE                      -2  2.0.0  7.2.0  -            -
WAIT                            3  3.0.0  7.2.0  -            -

[unfollowed]
ARDEL                          -3  8.8.0  -      1            write
ARDELRANGE                     -4  8.8.0  -      1            write
ARINSERT                       -3  8.8.0  -      1            write
ARMSET                         -4  8.8.0  -      1            write
ARRING                         -4  8.8.0  -      1            write
ARSEEK                          3  8.8.0  -      1            write
ARSET                          -4  8.8.0  -      1            write
BLMOVEM                        -6  8.10.0 -      1:2          write
GCRASETVALUE                    3  8.10.0 -      1            write
HIMPORT|SET                    -5  8.10.0 -      2            write
INCREX                         -2  8.8.0  9.2.0  1            write
LMOVEM                         -5  8.10.0 -      1:2          write
VADD                           -5  8.0.0  -      1            write
VREM                            3  8.0.0  -      1            write
VSETATTR                        4  8.0.0  -      1            write

[keydb]
EXPDEL                         -2  -      -      1:-1         write
EXPIREMEMBER                   -4  -      -      1            write
EXPIREMEMBERAT                  4  -      -      1            write
KEYDB.CRON                     -5  -      -      1            write
KEYDB.HRENAME                   4  -      -      1            write
KEYDB.MEXISTS                  -2  -      -      -            -
KEYDB.MVCCRESTORE               5  -      -      1            write
KEYDB.NHGET                    -2  -      -      -            -
KEYDB.NHSET                    -3  -      -      1            write
LFENCE                          1  -      -      -            -
PEXPIREMEMBERAT                 4  -      -      1            write
RREPLAY                        -3  -      -      -            write
"""


class CommandRow(NamedTuple):
    """A row of the table. ``name`` is in upper case, for a subcommand ``XGROUP CREATE``.

    ``redis`` and ``valkey`` are the first versions that have the command, None for a family without it. ``keys`` are
    the positions of keys, as above, empty for none; ``family`` is the module of its handler.
    """

    name: str
    arity: int
    redis: str | None
    valkey: str | None
    keys: str
    family: str
    flags: frozenset[Flag]

    @property
    def since(self) -> Since:
        """The first releases that have the command."""
        return Since(self.name, _release(self.redis), _release(self.valkey))

    @property
    def is_of_servers(self) -> bool:
        """Whether Redis or Valkey has it, not only a product."""
        return self.redis is not None or self.valkey is not None


def _release(version: str | None) -> Release | None:
    if version is None:
        return None
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _read_table(text: str) -> dict[bytes, CommandRow]:
    """Return the rows by name. Raises ValueError for a duplicate name or an unknown flag."""
    rows: dict[bytes, CommandRow] = {}
    known = {name: frozenset({name}) for name in get_args(Flag)}
    family = ""
    for line in text.split("\n"):
        if line.startswith("["):
            family = line.strip("[]")
        elif line:
            written, arity, redis, valkey, keys, marks = line.split()
            name = written.replace("|", " ")
            flags: frozenset[Flag] = frozenset()
            for mark in () if marks == "-" else marks.split(","):
                if mark not in known:
                    raise ValueError(f"{name}: {mark} is no flag")
                flags |= known[mark]
            if name.encode() in rows:
                raise ValueError(f"{name} is in the table twice")
            first_redis, first_valkey = (None if first == "-" else first for first in (redis, valkey))
            rows[name.encode()] = CommandRow(
                name, int(arity), first_redis, first_valkey, "" if keys == "-" else keys, family, flags
            )
    return rows


#: By upper-case name, for subcommands ``b"XGROUP CREATE"``.
COMMANDS: Final = _read_table(_TABLE)

#: The handler modules, in table order.
FAMILIES: Final = tuple(dict.fromkeys(row.family for row in COMMANDS.values() if row.family != TRANSACTIONS))

#: First words of commands that have subcommands.
CONTAINERS: Final = frozenset(name.split()[0] for name in COMMANDS if b" " in name)

#: The first words of all commands.
FIRST_WORDS: Final = frozenset(name.split()[0] for name in COMMANDS)

#: The first words of what servers write into AOFs.
AOF_WORDS: Final = frozenset(name.split()[0] for name, row in COMMANDS.items() if row.flags & {"write", "aof"})

#: Commands that start and end transactions: if one of them were renamed, the others would change their meaning.
TRANSACTION: Final = frozenset(name for name, row in COMMANDS.items() if row.family == TRANSACTIONS)

#: Commands that touch keys without naming them: all keys of one database, or of all.
SWEEPING: Final = frozenset(name for name, row in COMMANDS.items() if "sweeps" in row.flags)

#: The product that a command identifies.
PRODUCT_BY_COMMAND: Final[dict[bytes, Product]] = {
    name: _PRODUCTS[row.family] for name, row in COMMANDS.items() if row.family in _PRODUCTS
}
