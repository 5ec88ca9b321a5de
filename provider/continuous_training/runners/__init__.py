"""The places where a task image can run."""
