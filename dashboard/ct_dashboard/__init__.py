"""The dashboard: estimates through the API, and what happened to each batch and why."""
