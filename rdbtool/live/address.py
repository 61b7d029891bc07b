"""Server URLs: the supported schemes, and displaying a URL without its password."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from rdbtool.core.light_typing import Final, NamedTuple

#: Schemes of server URLs, and the scheme that the client library uses for each.
SCHEMES: Final = {
    "redis": "redis",
    "rediss": "rediss",
    "valkey": "redis",
    "valkeys": "rediss",
    "unix": "unix",
}
CLUSTER_SCHEMES: Final = {"redis+cluster": "redis", "rediss+cluster": "rediss", "valkey+cluster": "redis"}

_SECRETS: Final = frozenset({"password", "pass", "auth"})


class Secrets(NamedTuple):
    """The credentials of a connection. None: those in the URL."""

    username: str | None = None
    password: str | None = None


def scheme_of(text: str) -> str | None:
    """Return the scheme of a server URL; None if the text is not one."""
    match = re.match(r"([a-z]+(?:\+[a-z]+)?)://", text)
    return match[1] if match is not None and match[1] in SCHEMES | CLUSTER_SCHEMES else None


def show_url(url: str) -> str:
    """Return a URL without password, for messages and files."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = parts.netloc.rpartition("@")[0].partition(":")[0]
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name not in _SECRETS])
    netloc = f"{user}@{host}" if user else host
    shown = urlunsplit((parts.scheme, netloc, parts.path, query, ""))
    # urlsplit drops the slashes of what has no host.
    return shown if "://" in shown else shown.replace(":", "://", 1)


def has_password(url: str) -> bool:
    """Whether a URL contains a password, which process lists would show."""
    parts = urlsplit(url)
    in_query = any(name in _SECRETS for name, _ in parse_qsl(parts.query))
    return in_query or ":" in parts.netloc.rpartition("@")[0]


def client_url(url: str) -> str:
    """Return the URL with the scheme that the client library expects."""
    scheme, _, rest = url.partition("://")
    return f"{(SCHEMES | CLUSTER_SCHEMES)[scheme]}://{rest}"


def node_url(url: str, host: str, port: int) -> str:
    """Return the URL of a node of the cluster at ``url``, with the same user and options."""
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    shown = f"[{host}]" if ":" in host else quote(unquote(host))
    netloc = f"{user}@{shown}:{port}" if user else f"{shown}:{port}"
    scheme = parts.scheme.partition("+")[0]
    return urlunsplit((scheme, netloc, "", parts.query, ""))
