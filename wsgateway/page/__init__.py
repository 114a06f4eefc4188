"""The page for browsers at the admin address: what it shows, live, and what it may do. Its files are in this folder."""
