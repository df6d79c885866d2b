"""The errors of the commands in this folder. They also raise those in deploy/errors.py.

LocalError
├── ApiError         local/api.py
├── EmulatorError    local/emulator.py
└── PageError        local/page.py
"""

from deploy.errors import CommandError


class LocalError(CommandError):
    """A command on this machine failed."""
