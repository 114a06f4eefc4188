"""The relay between the two sides of a session. `translate` and `closing` are pure; `engine` moves the bytes."""
