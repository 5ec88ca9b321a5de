"""Questions to the record that change nothing: what another policy would have decided, and where a version comes from."""
