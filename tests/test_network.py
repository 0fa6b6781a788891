"""Tests talk to no other machine: neither these processes nor those that they start."""

import os
import socket
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif("ASCII_MAZE_CONTRACT" in os.environ, reason="the contract test talks to the real Hub")
ADDRESS = ("192.0.2.1", 443)  # of no machine: RFC 5737


def test_no_connection_leaves_this_machine():
    with socket.socket() as one, pytest.raises(ConnectionError, match=r"reached for 192\.0\.2\.1"):
        one.connect(ADDRESS)
    with socket.socket(type=socket.SOCK_DGRAM) as one, pytest.raises(ConnectionError, match="reached for"):
        one.sendto(b"x", ADDRESS)
    with pytest.raises(ConnectionError, match=r"reached for huggingface\.co"):
        socket.getaddrinfo("huggingface.co", 443)


def test_nor_from_a_process_that_a_test_starts():
    program = f"import socket; socket.create_connection({ADDRESS}, timeout=5)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ConnectionError: a test reached for 192.0.2.1" in done.stderr


def test_this_machine_may_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as one:
        assert one.getpeername() == server.getsockname()
