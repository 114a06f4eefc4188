"""The census: who speaks which dialect, how much, and when last."""
