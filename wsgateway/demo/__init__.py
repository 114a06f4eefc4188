"""A gateway, an upstream and a page to look at, in one process.

    program     starts and stops the three together
    echo        starts an upstream alone, whose every path is an echo
    upstream    a server that knows RFC 6455 alone: /echo, and /chat, which is a `room`; a `peer` is one of its clients
    site        the page, and the probes that it asks for
    server      what upstream and site share: connections that make one HTTP request

All of it listens on loopback alone, and is for eyes and fingers: nothing else in wsgateway uses it, but `cli`.
"""
