"""Nothing is lost: `python -m tests.soak` has a gateway serve clients of all dialects while all around it fails.

plan      what happens, and when
gateway   the gateway, its processes and its log
echo      the upstream, as a process
outage    upstreams that are killed and come back
client    one session, which knows what it has to get
messages  what clients say
crowd     all clients
chaos     what is done to the gateway meanwhile
judge     what may happen to a client, and when
run       all of it together, from a warm-up to what is left at the end
"""
