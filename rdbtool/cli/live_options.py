"""Options of commands that speak to a server, and what they mean."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rdbtool.live.address import Secrets
    from rdbtool.live.connection import Endpoint

Url = Annotated[
    str,
    typer.Argument(
        metavar="URL",
        help="redis://[USER@]HOST[:PORT], rediss:// (TLS), valkey://, valkeys://, unix://PATH; capture also takes a "
        "cluster, redis+cluster://HOST:PORT. Passwords: see --password-file.",
    ),
]


@dataclasses.dataclass(frozen=True)
class Access:
    """How a server is reached."""

    password_file: Annotated[
        str | None,
        typer.Option(
            "--password-file",
            metavar="FILE",
            help="Read the password from the first line of FILE. Default: RDBTOOL_PASSWORD or REDISCLI_AUTH of the "
            "environment.",
        ),
    ] = None
    ask_password: Annotated[bool, typer.Option("--ask-password", help="Ask for the password on the terminal.")] = False

    def endpoint(self, url: str) -> Endpoint:
        """Return the server of a URL. Raises BadParameter for what is no such URL, InputError."""
        from rdbtool.live.address import SCHEMES, scheme_of
        from rdbtool.live.connection import Endpoint

        scheme = scheme_of(url)
        if scheme not in SCHEMES:
            words = f"expected an address such as redis://localhost:6379, found {_hide(url)!r}"
            raise typer.BadParameter(words, param_hint="URL")
        self.warn(url)
        return Endpoint.of_url(url, self.secrets())

    def secrets(self) -> Secrets:
        """Return the password that is to be used."""
        from rdbtool.live.address import Secrets
        from rdbtool.live.secrets import find_secrets

        if self.ask_password:
            import getpass

            return Secrets(None, getpass.getpass("Password: "))
        return find_secrets(self.password_file)

    @staticmethod
    def warn(url: str) -> None:
        """Say that a password in an argument is seen by others."""
        from rdbtool.live.address import has_password

        if has_password(url):
            words = "a password in an address is visible in process lists: use --password-file or RDBTOOL_PASSWORD"
            typer.echo(f"rdbtool: {words}", file=sys.stderr)


def _hide(text: str) -> str:
    from rdbtool.live.address import show_url

    return show_url(text) if "@" in text else text
