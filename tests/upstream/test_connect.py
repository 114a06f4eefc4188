"""Connections to addresses of this machine, which nobody has to wait for."""

import socket

import pytest

from wsgateway.settings.basics import Address
from wsgateway.upstream.connect import begin_to_connect

LOOPBACK = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


@pytest.mark.parametrize(("family", "host"), LOOPBACK)
def test_a_connection_on_this_machine_is_there_at_once(family: socket.AddressFamily, host: str) -> None:
    with socket.create_server((host, 0), family=family) as server:
        sock, connected = begin_to_connect(Address(host, server.getsockname()[1]))
        with sock:
            assert connected


@pytest.mark.parametrize(("family", "host"), LOOPBACK)
def test_an_address_of_this_machine_refuses_at_once(family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family) as closed:
        closed.bind((host, 0))
        with pytest.raises(ConnectionRefusedError):
            begin_to_connect(Address(host, closed.getsockname()[1]))
