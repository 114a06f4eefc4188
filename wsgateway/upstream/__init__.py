"""The upstream side: names, targets, health, balance, connections, and the handshake with a server."""
