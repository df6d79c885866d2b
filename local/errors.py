"""The errors that the commands in this folder print."""


class LocalError(Exception):
    """A command failed. The text is one line: the reason, and what to do."""
