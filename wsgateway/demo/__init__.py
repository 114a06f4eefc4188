"""A gateway, an upstream and a page to look at, in one process."""
