"""The gateway as a process between clients and upstreams that others wrote.

    clients    PhantomJS 1.9.8 (hixie-76), ws 0.4.32 on Node (hybi-08), Chromium, ws 8 on Node, `websockets` (RFC 6455)
    upstreams  ws 8 on Node, `websockets` on Trio

What each of them runs is in peers/, what they say to each other in peers/scenario.js and scenario.py.

Libraries of the time are both, clients and upstreams, with `websockets` at the other end. Which these are and what
they speak is in libraries.py; they are told what to say line by line, see ends.py. Their mistakes are tests, too.
"""
