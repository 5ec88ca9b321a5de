"""The one-machine stack: everything of the project started by command, nothing of it imported."""
