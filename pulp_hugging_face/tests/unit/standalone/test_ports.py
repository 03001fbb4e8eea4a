"""Addresses: had, or refused with a sentence."""

import socket

import pytest

from pulp_hugging_face.standalone import ports
from pulp_hugging_face.standalone.errors import PortUnavailable


def test_a_port_in_use_is_named_with_the_option_to_change():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortUnavailable) as refused:
            ports.reserve("127.0.0.1", port, "--api-port")
    sentence = str(refused.value)
    assert str(port) in sentence and "in use" in sentence and "--api-port" in sentence
    assert refused.value.exit_code == 1


def test_port_zero_is_a_free_port_and_nobody_listens_on_it_yet():
    with ports.reserve("127.0.0.1", 0, "--port") as sock:
        assert ports.number(sock) > 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", ports.number(sock)))


def test_an_address_of_another_machine_is_refused():
    # TEST-NET-1: nobody's address (RFC 5737).
    with pytest.raises(PortUnavailable, match="--bind"):
        ports.reserve("192.0.2.1", 0, "--port")


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("localhost", "http://localhost:80"),
        ("10.1.2.3", "http://10.1.2.3:80"),
    ],
)
def test_origin_is_reachable_from_this_machine(bind, expected):
    assert ports.origin(bind, 80) == expected
