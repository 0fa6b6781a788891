"""Python runs this before anything else, where this folder is on its path: no word to any other machine from then on.

Nor a question where one is. What is not Python's own, as hf_xet, is not seen here; it talks to whom the Hub names.
"""

import os
import socket
import sys

# The last for the processes of one run, which may find each other by the machine's name.
HERE = ("", "127.0.0.1", "localhost", "::1", "0.0.0.0", "::", socket.gethostname())


def refuse_others(event, values):
    """The audit hook; see PEP 578."""
    if event in ("socket.connect", "socket.sendto"):
        host = values[1][0] if isinstance(values[1], tuple) else None  # else a socket of this machine's file system
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = values[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host is not None and host not in HERE:
        raise ConnectionError(f"a test reached for {host}")


if not os.environ.get("ASCII_MAZE_CONTRACT"):  # which is there to talk to the real Hub
    sys.addaudithook(refuse_others)
