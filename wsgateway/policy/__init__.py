"""Which route an offer takes, and whether it may."""
