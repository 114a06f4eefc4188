"""A client of every dialect, for people: it connects, asks for an echo, and shows what went over the wire."""
