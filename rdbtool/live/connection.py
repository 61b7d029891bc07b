"""Connections to a server, by the client library that the caller has: redis-py, or valkey-py which is like it.

Commands go through the library, which knows passwords, ACLs, TLS, sockets and Sentinel. Replication takes the socket
itself, once the library has opened and authenticated it: what follows PSYNC is no reply.

Every failure is one of our errors: what the server at which address did, and what to do about it.
"""

from __future__ import annotations

import select
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Self

from rdbtool.core.errors import InputError, Remedy
from rdbtool.live.address import Secrets, client_url, show_url

if TYPE_CHECKING:
    from types import TracebackType

#: Seconds to wait for a connection and for a reply.
CONNECT_SECONDS: Final = 10.0
REPLY_SECONDS: Final = 60.0

#: Bytes that one read of a socket asks for.
RECEIVED: Final = 1 << 18

#: Settings of a client that mean nothing to one connection of ours, or would change what replies are.
_OURS: Final = {"decode_responses": False, "protocol": 2, "socket_connect_timeout": CONNECT_SECONDS}
_LEFT_OUT: Final = frozenset(
    {
        *("retry", "retry_on_timeout", "retry_on_error", "health_check_interval", "client_name", "lib_name"),
        *("lib_version", "driver_info", "redis_connect_func", "event_dispatcher", "command_packer", "himport"),
    }
)


class ServerConnectionError(InputError):
    """A server cannot be reached, or went away."""


class ServerRefusedError(InputError):
    """A server was reached and refuses: a password, a right that a user lacks, a command that it does not have.

    ``word`` is the first word of its reply, such as ``NOPERM``.
    """

    def __init__(self, message: str, word: str = "", *, remedy: Remedy | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.word = word


class ReplyError(Exception):
    """An error reply to a command. ``is_unknown``: the server has no such command; ``word`` is the reply's first."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.word = text.split(" ", 1)[0]
        self.is_unknown = self.word == "ERR" and "unknown command" in text


class Connection:
    """A connection for commands. ``name`` is what messages call the server."""

    def __init__(self, raw: Any, name: str) -> None:
        self.raw = raw
        self.name = name
        self._reply_errors: type[Exception] = _errors_of(raw).ResponseError

    def __call__(self, *words: str | bytes | int) -> Any:
        """Send one command and return its reply; strings of it are bytes. Raises ReplyError, InputError."""
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
        """Read replies; error replies are among them as ReplyError. Raises ServerConnectionError."""
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
        """Return what INFO says. Raises ReplyError, InputError."""
        text = self("INFO", *([section] if section else [])).decode("utf-8", "replace")
        rows = (line.partition(":") for line in text.splitlines() if line and not line.startswith("#"))
        return {name: value for name, _, value in rows}

    def failed(self, error: Exception) -> InputError:
        """Return the error that says what became of the server."""
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
    """A server, and how connections to it are made."""

    def __init__(self, make: Callable[[], Any], name: str) -> None:
        self._make = make
        self.name = name

    @classmethod
    def of_client(cls, client: Any, name: str | None = None) -> Self:
        """Return the server of a client of redis-py or valkey-py, synchronous or not. Raises TypeError."""
        pool = getattr(client, "connection_pool", None)
        if pool is None:
            raise TypeError(f"expected a client such as redis.Redis(), found {type(client).__name__}")
        kind = _synchronous(pool.connection_class)
        settings = {name: value for name, value in pool.connection_kwargs.items() if _is_kept(name)} | _OURS

        def make(_pool: Any = pool) -> Any:
            # The connections of a Sentinel ask their pool, which has to live as long as they may be made.
            return kind(**settings)

        return cls(make, name or _describe_settings(settings))

    @classmethod
    def of_url(cls, url: str, secrets: Secrets | None = None) -> Self:
        """Return the server of a URL. Raises InputError where it is none, or the client library is missing."""
        redis = import_client()
        given = {} if secrets is None else {name: value for name, value in secrets._asdict().items() if value}
        try:
            pool = redis.ConnectionPool.from_url(client_url(url), **given)
            # What a URL says wins in the library; a secret that was given in another way is meant.
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
    """Import redis-py. Raises InputError where it is not installed."""
    try:
        import redis  # noqa: PLC0415 - an extra, and it takes 100 ms
    except ImportError as error:
        raise InputError("servers are reached by redis-py, which is not installed: pip install 'rdbtool[live]'") from (
            error
        )
    return redis


def _is_kept(name: str) -> bool:
    return name not in _LEFT_OUT and "maint_notifications" not in name and name not in {"cache", "cache_config"}


def _synchronous(kind: Any) -> Any:
    """Return the connection class that does what an asynchronous one does, without asyncio."""
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
    """Return what the system and the library of a connection raise."""
    if raw is None:
        return (OSError, *_known_errors())
    found = _errors_of(raw)
    return OSError, getattr(found, "RedisError", None) or found.ValkeyError


def _known_errors() -> tuple[type[Exception], ...]:
    """Return what the libraries that are there raise before there is a connection."""
    found = [sys.modules[f"{name}.exceptions"] for name in ("redis", "valkey") if f"{name}.exceptions" in sys.modules]
    return tuple(getattr(each, "RedisError", None) or each.ValkeyError for each in found)


def _errors_of(raw: Any) -> Any:
    return sys.modules[type(raw).__module__.partition(".")[0]].exceptions


#: Words that the libraries take away from the beginning of an error reply.
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

#: What error replies mean, by their first word: a sentence, and what to do.
_MEANINGS: Final = {
    "NOAUTH": ("asks for a password", _NO_PASSWORD),
    "WRONGPASS": ("refuses the user or the password", _WRONG_PASSWORD),
    "LOADING": ("is loading its dataset", Remedy(": try again when it has", ": try again when it has")),
    "NOMASTERLINK": (
        "is a replica that has lost its master",
        Remedy(": wait until it is connected, or give the master's address", ": give the master"),
    ),
    "MASTERDOWN": ("is a replica that has lost its master", Remedy(": give the master's address", "")),
    "MISCONF": (
        "takes no writes because it cannot save",
        Remedy(": see its log; its disk may be full", ": see its log"),
    ),
    "OOM": ("is out of memory", Remedy(": raise its maxmemory, or free some", ": raise its maxmemory")),
    "READONLY": ("is a replica, which takes no writes", Remedy(": give the master's address", ": give the master")),
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
    more = ", or use --scan" if asked == "PSYNC" else ""
    hint = f": ACL SETUSER … {rights} allows it{more}"
    return ServerRefusedError(
        f"{name} does not let this user run {asked or 'a command'}", "NOPERM", remedy=Remedy(hint, hint)
    )


def _describe_general(text: str, name: str, asked: str) -> InputError | None:
    """Return the error for a reply that begins with ERR and means something particular; None for others."""
    if "unknown command" in text and asked:
        remedy = Remedy(": --scan reads it by SCAN and DUMP, not at one moment", ": scan=True reads it by SCAN")
        return ServerRefusedError(f"{name} has no {asked}", "UNKNOWN", remedy=remedy if asked == "PSYNC" else None)
    if "AUTH" in text or "invalid password" in text:
        return ServerRefusedError(f"{name} refuses the user or the password", "WRONGPASS", remedy=_WRONG_PASSWORD)
    if "BGSAVE failed" in text or "Unable to perform background save" in text:
        why = "could not save its dataset for a replica: see its log; often it has no memory for a fork"
        return ServerRefusedError(f"{name} {why}", "FORK")
    return None


def describe_failure(error: Exception, name: str) -> InputError:
    """Return the error for what the library or the system raised while the server ``name`` was spoken to."""
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
    """Return the error for an error reply, or for what is no reply; None for other things that went wrong."""
    kind = type(error).__name__
    if kind == "InvalidResponse":
        hint = ": check host and port; a server with TLS is rediss://"
        why = f"what answers at {name} is no Redis or Valkey server"
        return ServerRefusedError(why, "NOREDIS", remedy=Remedy(hint, hint))
    if kind in _TAKEN or kind == "ResponseError":
        text = _reply_text(error)
        return describe_reply("WRONGPASS" if "invalid" in text and "password" in text else text, name)
    return None


_SYSTEM: Final = {
    TimeoutError: "no answer in time; check host, port and firewall",
    ConnectionRefusedError: "connection refused; is a server running there?",
    ConnectionResetError: "connection reset; a server with TLS is rediss://",
    FileNotFoundError: "there is no such socket; is a server running?",
}


def _describe_system(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return f"its name is not known ({error.strerror})"
    for kind, words in _SYSTEM.items():
        if isinstance(error, kind):
            return words
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if type(error).__name__ in {"MasterNotFoundError", "SlaveNotFoundError"}:
        return "its Sentinels know no such master"
    return "it closed the connection; a server with TLS is rediss://"


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class ReplicaSocket:
    """The socket of a connection of which the library has read everything: bytes in, bytes out.

    Reading waits at most ``silence`` seconds for the next byte; servers send something every second or ten.
    """

    def __init__(self, connection: Connection, silence: float = REPLY_SECONDS) -> None:
        self._connection = connection
        self._socket: socket.socket = connection.raw._sock  # noqa: SLF001 - there is no public way to it
        self.name = connection.name
        self.silence = silence
        self._socket.settimeout(silence)
        self._held = b""
        #: When something was last received, in seconds of the monotonic clock.
        self.heard = time.monotonic()

    def fileno(self) -> int:
        """Return the descriptor, for ``select``."""
        return self._socket.fileno()

    def is_ready(self, seconds: float) -> bool:
        """Wait up to ``seconds`` for something to read."""
        if self._held or (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
            return True
        return bool(select.select([self._socket], [], [], seconds)[0])

    @property
    def is_silent(self) -> bool:
        """Whether nothing was received for longer than servers are silent."""
        return time.monotonic() - self.heard > self.silence

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
        """Fill the beginning of ``view``; return the number of bytes. Raises ServerConnectionError, at the end too."""
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
        self.heard = time.monotonic()
        return count

    def read_line(self, limit: int = 1024) -> bytes:
        """Read a line and return it without its end. Raises ServerConnectionError, ServerRefusedError."""
        while (end := self._held.find(b"\n")) < 0:
            if len(self._held) > limit:
                raise ServerRefusedError(f"what answers at {self.name} is no Redis or Valkey server", "NOREDIS")
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
    """Return a command as it is sent."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
