"""Turn one batch of RAW into CLEAN and quarantine."""
