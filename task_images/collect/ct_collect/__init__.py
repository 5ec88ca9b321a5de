"""Take one batch from the source into RAW, exactly once."""
