"""Non-blocking sockets: reading and writing, errors, hang-ups, progress of what is sent, and TLS profiles."""
