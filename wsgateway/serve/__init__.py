"""The client side: listeners, the preamble of a connection, and the session that reads from top to bottom."""
