"""Score champion and challenger now, on the same rows, and decide about the promotion."""
