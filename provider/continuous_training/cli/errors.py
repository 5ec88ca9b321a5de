"""What the command line cannot do, in words for the person who asked."""

from __future__ import annotations


class CommandError(Exception):
    """Nothing ran; the message says why and what to do."""
