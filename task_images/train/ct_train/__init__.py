"""Train a challenger on all of CLEAN and register it."""
