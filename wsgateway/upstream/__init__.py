"""The upstream side: connect, and the handshake with a server."""
