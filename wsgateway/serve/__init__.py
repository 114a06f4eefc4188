"""The client side: listeners, the prologue of a connection, and the session that reads from top to bottom."""
