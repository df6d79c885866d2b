"""The ports of `make local`: numbers, different, free."""

import socket
from collections.abc import Iterator

import pytest

from local.errors import LocalError
from local.ports import Ports, parse_port, require_free, require_usable
from tests.support.ports import free_ports


@pytest.mark.parametrize(("text", "port"), [("1", 1), ("65535", 65535), ("08000", 8000)])
def test_a_port_is_a_number_from_1_to_65535(text: str, port: int) -> None:
    assert parse_port(text) == port


@pytest.mark.parametrize("text", ["x", "", "0", "65536", "-1", "1.5"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(LocalError, match=f"'{text}'"):
        parse_port(text)


def test_the_same_port_twice_is_refused() -> None:
    aws, other = free_ports(2)
    with pytest.raises(LocalError, match="API_PORT and WEB_PORT"):
        require_usable(Ports(aws, other, other), with_api=True, with_page=True)


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("name", ["aws", "api", "web"])
def test_a_port_in_use_is_refused(name: str, busy_port: int) -> None:
    ports = Ports(*free_ports(3))._replace(**{name: busy_port})
    with pytest.raises(LocalError, match=f"make local {name.upper()}_PORT="):
        require_usable(ports, with_api=True, with_page=True)


def test_without_the_api_its_port_may_be_in_use(busy_port: int) -> None:
    aws, web = free_ports(2)
    require_usable(Ports(aws, busy_port, web), with_api=False, with_page=True)


def test_without_the_page_its_port_may_be_in_use(busy_port: int) -> None:
    aws, api = free_ports(2)
    require_usable(Ports(aws, api, busy_port), with_api=True, with_page=False)


def test_a_port_is_free_once_its_server_has_stopped() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), server.accept()[0]:
            pass  # the server's side closes first, and stays in TIME_WAIT
    require_free("web", port, "make web")
