"""A client of every dialect, for people.

`client` connects and sends a message, `transcript` shows every byte that was sent and received, with its meaning.
"""
