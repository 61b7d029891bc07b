"""Options of commands that connect to a server."""

from __future__ import annotations

from rdbtool.cli.app import print_lines
from rdbtool.cli.options import PasswordFile
from rdbtool.cli.parameters import Argument, Option, OptionGroup, UsageError
from rdbtool.core.light_typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from rdbtool.live.address import Secrets
    from rdbtool.live.connection import Endpoint
    from rdbtool.live.load_links import Cluster

Url = Annotated[
    str,
    Argument(
        metavar="URL",
        help="redis://[USER@]HOST[:PORT], rediss:// (TLS), valkey://, valkeys://, unix://PATH; capture and load also "
        "take a cluster, redis+cluster://HOST:PORT. Passwords: see --password-file.",
    ),
]


class Access(OptionGroup):
    """How to connect to a server."""

    password_file: PasswordFile = None
    ask_password: Annotated[bool, Option("--ask-password", help="Ask for the password on the terminal.")] = False

    def endpoint(self, url: str) -> Endpoint:
        """Return the endpoint of a URL. Raises UsageError for an invalid URL, and InputError."""
        from rdbtool.live.address import SCHEMES, scheme_of
        from rdbtool.live.connection import Endpoint

        scheme = scheme_of(url)
        if scheme not in SCHEMES:
            words = f"expected an address such as redis://localhost:6379, found {_hide(url)!r}"
            raise UsageError(words, parameter="URL")
        self.warn(url)
        return Endpoint.of_url(url, self.secrets())

    def cluster(self, url: str) -> tuple[Endpoint, Cluster]:
        """Return a node of a cluster by its URL, and the cluster. Raises UsageError, InputError."""
        from rdbtool.live.address import CLUSTER_SCHEMES, node_url, scheme_of
        from rdbtool.live.connection import Endpoint
        from rdbtool.live.load_links import Cluster

        secrets = self.secrets()
        if scheme_of(url) in CLUSTER_SCHEMES:
            self.warn(url)
            seed = Endpoint.of_url(url, secrets)
        else:
            seed = self.endpoint(url)
        return seed, Cluster(seed, lambda host, port: Endpoint.of_url(node_url(url, host, port), secrets))

    def secrets(self) -> Secrets:
        """Return the credentials given by the options or the environment."""
        from rdbtool.live.address import Secrets
        from rdbtool.live.secrets import find_secrets

        if self.ask_password:
            import getpass

            return Secrets(None, getpass.getpass("Password: "))
        return find_secrets(self.password_file)

    @staticmethod
    def warn(url: str) -> None:
        """Warn about a password in a URL argument."""
        from rdbtool.live.address import has_password

        if has_password(url):
            words = "a password in an address is visible in process lists: use --password-file or RDBTOOL_PASSWORD"
            from rdbtool.report.screen import Styled

            print_lines([(Styled("warning", "warning"), f": {words}")])


def _hide(text: str) -> str:
    from rdbtool.live.address import show_url

    return show_url(text) if "@" in text else text
