"""One non-blocking socket."""
