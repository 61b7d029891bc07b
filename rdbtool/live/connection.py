"""Connections to a server through the caller's client library: redis-py, or valkey-py, which has the same interface.

Commands go through the library, which handles passwords, ACLs, TLS, sockets and Sentinel. Replication uses the socket
directly once the library has opened and authenticated it: the data after PSYNC is not a reply.

All failures are raised as rdbtool's errors, with the server's address, what it did, and what to do about it.
"""

from __future__ import annotations

import select
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterable

from rdbtool.core.errors import InputError, Remedy
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final, Self
from rdbtool.live.address import Secrets, client_url, show_url

if TYPE_CHECKING:
    from types import TracebackType

#: Seconds to wait for a connection and for a reply.
CONNECT_SECONDS: Final = 10.0
REPLY_SECONDS: Final = 60.0

#: Bytes to request in one read of a socket.
RECEIVED: Final = 1 << 18

#: Client settings that do not apply to a single connection, or would change the type of replies.
_OURS: Final = {"decode_responses": False, "protocol": 2, "socket_connect_timeout": CONNECT_SECONDS}
_LEFT_OUT: Final = frozenset(
    {
        *("retry", "retry_on_timeout", "retry_on_error", "health_check_interval", "client_name", "lib_name"),
        *("lib_version", "driver_info", "redis_connect_func", "event_dispatcher", "command_packer", "himport"),
    }
)


class ServerConnectionError(InputError):
    """A server is unreachable, or closed the connection."""


class ServerRefusedError(InputError):
    """A server refuses: wrong password, missing permission, or unknown command.

    ``word`` is the first word of its reply, such as ``NOPERM``.
    """

    def __init__(self, message: str, word: str = "", *, remedy: Remedy | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.word = word


class ReplyError(Exception):
    """An error reply. ``is_unknown``: the server does not know the command; ``word`` is the first word of the reply."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.word = text.split(" ", 1)[0]
        self.is_unknown = self.word == "ERR" and "unknown command" in text


class Connection:
    """A connection for commands. ``name`` is the server's name in messages."""

    def __init__(self, raw: Any, name: str) -> None:
        self.raw = raw
        self.name = name
        self._reply_errors: type[Exception] = _errors_of(raw).ResponseError

    def __call__(self, *words: str | bytes | int) -> Any:
        """Send one command and return its reply, with strings as bytes. Raises ReplyError, InputError."""
        try:
            self.raw.send_command(*words, check_health=False)
            return self.read()
        except _failures(self.raw) as error:
            raise self.failed(error) from error

    def read(self) -> Any:
        """Read one reply. Raises ReplyError."""
        try:
            return self.raw.read_response(disconnect_on_error=True)
        except self._reply_errors as error:
            raise ReplyError(_reply_text(error)) from error

    def send_bytes(self, data: bytes) -> None:
        """Send encoded commands. Raises ServerConnectionError."""
        try:
            self.raw.send_packed_command([data], check_health=False)
        except _failures(self.raw) as error:
            raise self.failed(error) from error

    def read_replies(self, count: int) -> list[Any]:
        """Read replies, with error replies returned as ReplyError. Raises ServerConnectionError."""
        replies: list[Any] = []
        try:
            for _ in range(count):
                try:
                    replies.append(self.read())
                except ReplyError as error:
                    replies.append(error)
        except _failures(self.raw) as error:
            raise self.failed(error) from error
        return replies

    def info(self, section: str = "") -> dict[str, str]:
        """Return the fields of INFO. Raises ReplyError, InputError."""
        text = self("INFO", *([section] if section else [])).decode("utf-8", "replace")
        rows = (line.partition(":") for line in text.splitlines() if line and not line.startswith("#"))
        return {name: value for name, _, value in rows}

    def failed(self, error: Exception) -> InputError:
        """Return the error that describes a failure of this connection."""
        return describe_failure(error, self.name)

    def close(self) -> None:
        """Close the connection."""
        self.raw.disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Endpoint:
    """A server, and a factory of connections to it."""

    def __init__(self, make: Callable[[], Any], name: str) -> None:
        self._make = make
        self.name = name

    @classmethod
    def of_client(cls, client: Any, name: str | None = None) -> Self:
        """Return the endpoint of a redis-py or valkey-py client, synchronous or not. Raises TypeError."""
        pool = getattr(client, "connection_pool", None)
        if pool is None:
            raise TypeError(f"expected a client such as redis.Redis(), found {type(client).__name__}")
        kind = _synchronous(pool.connection_class)
        settings = {name: value for name, value in pool.connection_kwargs.items() if _is_kept(name)} | _OURS

        def make(_pool: Any = pool) -> Any:
            # Sentinel connections ask their pool for the master, so the pool has to stay alive.
            return kind(**settings)

        return cls(make, name or _describe_settings(settings))

    @classmethod
    def of_url(cls, url: str, secrets: Secrets | None = None) -> Self:
        """Return the endpoint of a URL. Raises InputError if it is invalid, or the client library is missing."""
        redis = import_client()
        given = {} if secrets is None else {name: value for name, value in secrets._asdict().items() if value}
        try:
            pool = redis.ConnectionPool.from_url(client_url(url), **given)
            # The library prefers the credentials in a URL; those given in another way take precedence here.
            pool.connection_kwargs.update(given)
        except ValueError as error:
            raise InputError(f"{show_url(url)} is not a valid address: {error}") from error
        settings = {name: value for name, value in pool.connection_kwargs.items() if _is_kept(name)} | _OURS
        kind = pool.connection_class
        return cls(lambda: kind(**settings), show_url(url))

    def connect(self) -> Connection:
        """Open a connection. Raises InputError."""
        raw = None
        try:
            raw = self._make()
            raw.socket_timeout = raw.socket_timeout or REPLY_SECONDS
            raw.connect()
        except _failures(raw) as error:
            if raw is not None:
                raw.disconnect()
            raise describe_failure(error, self.name) from error
        return Connection(raw, self.name)


def import_client() -> Any:
    """Import redis-py. Raises InputError if it is not installed."""
    try:
        import redis  # noqa: PLC0415 - optional dependency; importing it takes 100 ms
    except ImportError as error:
        raise InputError("connecting to servers needs redis-py: pip install 'redis-rdbtool[live]'") from (error)
    return redis


def _is_kept(name: str) -> bool:
    return name not in _LEFT_OUT and "maint_notifications" not in name and name not in {"cache", "cache_config"}


def _synchronous(kind: Any) -> Any:
    """Return the synchronous counterpart of an asynchronous connection class."""
    module, _, rest = kind.__module__.partition(".")
    if "asyncio" not in rest.split("."):
        return kind
    import importlib  # noqa: PLC0415 - for clients of asyncio

    library = importlib.import_module(f"{module}.connection")
    found = getattr(library, kind.__name__, None)
    if found is None:
        raise TypeError(f"no synchronous connection like {kind.__name__}")
    return found


def _describe_settings(settings: dict[str, Any]) -> str:
    if "path" in settings:
        return f"unix://{settings['path']}"
    if "host" not in settings:
        return "the server"
    return f"redis://{settings['host']}:{settings.get('port', 6379)}"


def _failures(raw: Any) -> tuple[type[Exception], ...]:
    """Return the exceptions that the system and the library of a connection raise."""
    if raw is None:
        return (OSError, *_known_errors())
    found = _errors_of(raw)
    return OSError, getattr(found, "RedisError", None) or found.ValkeyError


def _known_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that the imported libraries raise before a connection exists."""
    found = [sys.modules[f"{name}.exceptions"] for name in ("redis", "valkey") if f"{name}.exceptions" in sys.modules]
    return tuple(getattr(each, "RedisError", None) or each.ValkeyError for each in found)


def _errors_of(raw: Any) -> Any:
    return sys.modules[type(raw).__module__.partition(".")[0]].exceptions


#: Prefixes that the libraries strip from error replies.
_TAKEN: Final = {
    "NoPermissionError": "NOPERM",
    "BusyLoadingError": "LOADING",
    "ReadOnlyError": "READONLY",
    "OutOfMemoryError": "OOM",
    "AuthenticationError": "NOAUTH",
    "NoScriptError": "NOSCRIPT",
    "MovedError": "MOVED",
    "AskError": "ASK",
    "ClusterDownError": "CLUSTERDOWN",
    "MasterDownError": "MASTERDOWN",
    "TryAgainError": "TRYAGAIN",
    "ExecAbortError": "EXECABORT",
}


def _reply_text(error: BaseException) -> str:
    word = _TAKEN.get(type(error).__name__)
    text = str(error)
    return text if word is None or text.startswith(f"{word} ") else f"{word} {text}"


_WRONG_PASSWORD: Final = Remedy(
    ": give the right one by --password-file or RDBTOOL_PASSWORD, and the user in the URL",
    ": give the right username and password",
)
_NO_PASSWORD: Final = Remedy(": give it by --password-file or RDBTOOL_PASSWORD", ": give password=")

#: Error replies by their first word: a message, and what to do.
_MEANINGS: Final = {
    "NOAUTH": ("requires a password", _NO_PASSWORD),
    "WRONGPASS": ("refuses the user or the password", _WRONG_PASSWORD),
    "LOADING": ("is loading its dataset", Remedy(": try again when it has", ": try again when it has")),
    "NOMASTERLINK": (
        "is a replica that has lost its master",
        Remedy(": wait until it is connected, or give the master's address", ": give the master"),
    ),
    "MASTERDOWN": ("is a replica that has lost its master", Remedy(": give the master's address", "")),
    "MISCONF": (
        "rejects writes because it cannot save",
        Remedy(": see its log; its disk may be full", ": see its log"),
    ),
    "OOM": ("is out of memory", Remedy(": raise its maxmemory, or free some", ": raise its maxmemory")),
    "MOVED": (
        "is a node of a cluster, and the key belongs to another one",
        Remedy(": use --cluster", ""),
    ),
    "READONLY": ("is a read-only replica", Remedy(": give the master's address", ": give the master")),
}


def describe_reply(text: str, name: str, *, asked: str = "") -> InputError:
    """Return the error for an error reply of the server ``name`` to the command ``asked``."""
    word = text.split(" ", 1)[0]
    if word in _MEANINGS:
        words, remedy = _MEANINGS[word]
        return ServerRefusedError(f"{name} {words}", word, remedy=remedy)
    if word == "NOPERM":
        return _describe_noperm(name, asked)
    return (_describe_general(text, name, asked) if word in {"ERR", "ERROR"} else None) or ServerRefusedError(
        f"{name} answered{f' to {asked}' if asked else ''}: {text[:200]}", word
    )


def _describe_noperm(name: str, asked: str) -> InputError:
    rights = "+psync +replconf +ping +info" if asked == "PSYNC" else f"+{asked.lower()}" if asked else "it"
    hint = f": ACL SETUSER … {rights} allows it"
    remedy = Remedy(f"{hint}, or use --scan", f"{hint}, or use scan=True") if asked == "PSYNC" else Remedy(hint, hint)
    return ServerRefusedError(f"{name} does not let this user run {asked or 'a command'}", "NOPERM", remedy=remedy)


def _describe_general(text: str, name: str, asked: str) -> InputError | None:
    """Return the error for a reply that begins with ERR and has a specific meaning; None for others."""
    if "unknown command" in text and asked:
        remedy = Remedy(": --scan reads it with SCAN and DUMP, not point-in-time", ": scan=True reads it with SCAN")
        return ServerRefusedError(f"{name} has no {asked}", "UNKNOWN", remedy=remedy if asked == "PSYNC" else None)
    if "AUTH" in text or "invalid password" in text:
        return ServerRefusedError(f"{name} refuses the user or the password", "WRONGPASS", remedy=_WRONG_PASSWORD)
    if "BGSAVE failed" in text or "Unable to perform background save" in text:
        why = "could not save its dataset for a replica: see its log; often there is too little memory for a fork"
        return ServerRefusedError(f"{name} {why}", "FORK")
    return None


def describe_failure(error: Exception, name: str) -> InputError:
    """Return the error for an exception of the library or the system in talking to the server ``name``."""
    if isinstance(error, InputError):
        return error
    causes = list(_causes(error))
    for cause in causes:
        found = _describe_tls(cause, name) if isinstance(cause, ssl.SSLError) else _describe_reply_of(cause, name)
        if found is not None:
            return found
    words = _describe_system(causes[-1])
    if isinstance(causes[-1], TimeoutError) and name.startswith(("rediss:", "valkeys:")):
        words += "; a server without TLS is redis://"
    return ServerConnectionError(f"cannot reach {name}: {words}")


def _describe_tls(error: ssl.SSLError, name: str) -> InputError:
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = ": add ?ssl_ca_certs=FILE to the URL"
        why = f"the certificate of {name} is not trusted ({error.verify_message})"
        return ServerRefusedError(why, "TLS", remedy=Remedy(hint, ": pass ssl_ca_certs="))
    hint = ": without TLS the URL begins with redis://; with client certificates, add ssl_certfile and ssl_keyfile"
    return ServerRefusedError(f"{name} does not speak TLS as asked ({error.reason})", "TLS", remedy=Remedy(hint, hint))


def _describe_reply_of(error: BaseException, name: str) -> InputError | None:
    """Return the error for an error reply, or for data that is not a reply; None for other failures."""
    kind = type(error).__name__
    if kind == "InvalidResponse":
        hint = ": check host and port; a server with TLS is rediss://"
        why = f"{name} is not a Redis or Valkey server"
        return ServerRefusedError(why, "NOREDIS", remedy=Remedy(hint, hint))
    if kind in _TAKEN or kind == "ResponseError":
        text = _reply_text(error)
        return describe_reply("WRONGPASS" if "invalid" in text and "password" in text else text, name)
    return None


_SYSTEM: Final = {
    TimeoutError: "no answer in time; check host, port and firewall",
    ConnectionRefusedError: "connection refused; is a server running there?",
    ConnectionResetError: "connection reset; a server with TLS is rediss://",
    FileNotFoundError: "no such socket; is a server running?",
}


def _describe_system(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return f"host name not found ({error.strerror})"
    for kind, words in _SYSTEM.items():
        if isinstance(error, kind):
            return words
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if type(error).__name__ in {"MasterNotFoundError", "SlaveNotFoundError"}:
        return "its Sentinels do not know this master"
    return "it closed the connection; a server with TLS is rediss://"


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class ReplicaSocket:
    """The raw socket of a connection whose replies the library has all read.

    Reading waits at most ``silence`` seconds for the next byte; masters send something every one to ten seconds.
    """

    def __init__(self, connection: Connection, silence: float = REPLY_SECONDS) -> None:
        self._connection = connection
        self._socket: socket.socket = connection.raw._sock  # noqa: SLF001 - the library has no public access to it
        self.name = connection.name
        self.silence = silence
        self._socket.settimeout(silence)
        self._held = b""
        #: When data was last received, in seconds of the monotonic clock.
        self.received_at = time.monotonic()

    def fileno(self) -> int:
        """Return the file descriptor, for ``select``."""
        return self._socket.fileno()

    def is_ready(self, seconds: float) -> bool:
        """Wait up to ``seconds`` for data; return whether there is any."""
        if self._held or (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
            return True
        return bool(select.select([self._socket], [], [], seconds)[0])

    @property
    def is_silent(self) -> bool:
        """Whether nothing was received for more than ``silence`` seconds."""
        return time.monotonic() - self.received_at > self.silence

    def send(self, data: bytes) -> None:
        """Send all of ``data``. Raises ServerConnectionError."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise self._lost(error) from error

    def send_command(self, *words: bytes) -> None:
        """Send one command."""
        self.send(encode_command(*words))

    def readinto(self, view: memoryview) -> int:
        """Fill the beginning of ``view``; return the byte count. Raises ServerConnectionError, also at the end."""
        if self._held:
            count = min(len(view), len(self._held))
            view[:count] = self._held[:count]
            self._held = self._held[count:]
            return count
        try:
            count = self._socket.recv_into(view)
        except OSError as error:
            raise self._lost(error) from error
        if not count:
            raise ServerConnectionError(f"{self.name} closed the connection")
        self.received_at = time.monotonic()
        return count

    def read_line(self, limit: int = 1024) -> bytes:
        """Read a line and return it without its newline. Raises ServerConnectionError, ServerRefusedError."""
        while (end := self._held.find(b"\n")) < 0:
            if len(self._held) > limit:
                raise ServerRefusedError(f"{self.name} is not a Redis or Valkey server", "NOREDIS")
            held, self._held = self._held, b""
            piece = bytearray(RECEIVED)
            count = self.readinto(memoryview(piece))
            self._held = held + bytes(piece[:count])
        line, self._held = self._held[:end], self._held[end + 1 :]
        return line.removesuffix(b"\r")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _lost(self, error: OSError) -> ServerConnectionError:
        if isinstance(error, TimeoutError):
            return ServerConnectionError(f"{self.name} has sent nothing for {self.silence:.0f} seconds")
        return ServerConnectionError(f"the connection to {self.name} was lost: {error.strerror or error}")


def encode_command(*words: bytes) -> bytes:
    """Return a command in RESP, as sent to the server."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
