"""What goes over the wire, for people: of a probe, of sessions that are traced, and in recordings.

transcript     bytes -> lines with their meaning
secrets        a head without its secrets
reading        the bytes of one direction of a connection -> lines
tap            a socket whose bytes are shown to somebody else, too
traces         the traces of a process, and the sessions that they follow
recording      the file of one session
har            the same, for the tools of browsers
replay         a recording, played against a server
"""
