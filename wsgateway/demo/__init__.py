"""A gateway, an upstream and a page to look at, in one process.

    program     starts and stops the three together
    echo        starts an upstream alone, whose every path is an echo
    upstream    a server of today: /echo, and /chat, which is a `room`; a `peer` is one of its clients
    site        the page behind the gateway, and the probes that it asks for

All of it listens on loopback only. It is for people who try the gateway; only the command `demo` uses it.
"""

LOOPBACK = "127.0.0.1"
