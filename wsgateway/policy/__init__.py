"""The rules of a request: its route, whether it is allowed, and how it is changed on its way."""
