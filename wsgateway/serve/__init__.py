"""The client side: listeners, the preamble of a connection, opening, and the session."""
