"""Judge one batch of RAW by the expectations of the data set, inside PostgreSQL."""
