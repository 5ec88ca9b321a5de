"""The release; setup.cfg reads it from here, and images of the same release carry it as their tag."""

__version__ = "0.1.0"
