"""A client of every dialect, for people: `client` connects and asks for an echo, `transcript` shows what went over the
wire, byte by byte and in words."""
