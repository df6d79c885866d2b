"""The ports of 127.0.0.1 that `make local` uses."""

from __future__ import annotations

import socket
from itertools import combinations
from typing import NamedTuple

from local.errors import LocalError


class Ports(NamedTuple):
    """The ports of the AWS emulator, the API and the page."""

    aws: int
    api: int
    web: int

    @property
    def aws_url(self) -> str:
        return f"http://127.0.0.1:{self.aws}"

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api}"

    @property
    def page_url(self) -> str:
        """The page's address. Cognito accepts http callback URLs only for the name localhost."""
        return f"http://localhost:{self.web}"


def parse_port(text: str) -> int:
    """The number in `text`. Raises LocalError if it is not a port."""
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise LocalError(
            f"{text!r} is not a port. "
            "AWS_PORT, API_PORT and WEB_PORT take a number from 1 to 65535."
        )
    return int(text)


def require_usable(ports: Ports, *, with_api: bool, with_page: bool) -> None:
    """Raise LocalError if two of `ports` are the same, or if one is in use.

    with_api: whether the API's port must be free; otherwise the user's own server may use it.
    with_page: the same for the page's port.
    """
    for (name, port), (other_name, other_port) in combinations(ports._asdict().items(), 2):
        if port == other_port:
            raise LocalError(
                f"{_variable(name)} and {_variable(other_name)} are both {port}. "
                "Choose different ports."
            )
    is_needed = {"aws": True, "api": with_api, "web": with_page}
    for name, port in ports._asdict().items():
        if is_needed[name]:
            require_free(name, port, "make local")


def require_free(name: str, port: int, command: str) -> None:
    """Raise LocalError if a server listens on 127.0.0.1:`port`.

    name: the port's name in Ports. command: the command that accepts another port.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError as error:
            raise LocalError(
                f"port {port} needs administrator rights. Choose a port from 1024: "
                f"{command} {_variable(name)}=..."
            ) from error
        except OSError as error:
            raise LocalError(
                f"another program uses port {port}. Choose another port: "
                f"{command} {_variable(name)}=..."
            ) from error


def _variable(name: str) -> str:
    """The environment variable that sets a port: aws -> AWS_PORT"""
    return f"{name.upper()}_PORT"
