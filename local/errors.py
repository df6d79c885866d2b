"""The errors that the commands in this folder print."""


class LocalError(Exception):
    """A command cannot do what it should. The text says why, and what to do, in one line."""
