"""Judge the champion on the new rows and decide whether to train."""
