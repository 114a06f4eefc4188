"""wsgateway: lets every WebSocket client ever made talk to a modern backend.

How a byte travels, from the wire to the wire:

    serve       accepts a client, reads its head, opens its session, parts at the end
    dialects    recognise what it speaks; each is a handshake and a framing, and has one file
    policy      finds its route
    upstream    chooses a target of the route's upstream, connects to it, and shakes hands in its dialect
    relay       moves the bytes of all sessions: `translate` turns frames of one dialect into those of another
    wire        what all dialects are made of: events, heads, masks, text, close codes
    net         one socket

and around it:

    settings    the YAML file, checked
    run         the supervisor, which opens what listens; its workers, each of which serves; reload, drain, hand-over;
                systemd
    observe     the log, the counters of each worker, and the admin pages that tell of all: status, health, metrics
    probe       a client of every dialect
    demo, cli

`wire`, `dialects` and most of `relay` are pure: bytes in, bytes out, no input or output.
"""

__version__ = "0.1.0"
