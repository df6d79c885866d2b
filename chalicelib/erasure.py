"""The end of an account: its data and its user in the user pool are removed.

Cognito and DynamoDB have no common transaction. The steps are in an order in which each can be
repeated after any fault, and a repeated erasure ends in the same state:

1. Markers replace the profile and the metadata. From here on, nothing is stored for the account,
   although its id tokens stay valid for up to a day.
2. The account is deleted from the user pool.
3. The markers get a time at which they expire. A marker without one is an unfinished erasure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.deadline import Deadline
from chalicelib.errors import UserNotFound
from chalicelib.markers import KINDS, MarkerStore
from chalicelib.user_pool import UserPool


@dataclass(frozen=True)
class Erasure:
    """Erases accounts of a user pool, and their data in a table."""

    markers: MarkerStore
    users: UserPool
    new_deadline: Callable[[], Deadline] = Deadline.after

    def erase(self, sub: str) -> None:
        """Erase the account of user `sub`, who has signed in.

        Raises StoreUnavailable, and user_pool.AmbiguousUserName. Repeat it then.
        """
        self._erase(sub, self.new_deadline())

    def erase_existing(self, sub: str) -> None:
        """Erase the account of user `sub`. Writes nothing if there is neither account nor data.

        Raises UserNotFound, and the same errors as `erase`.
        """
        deadline = self.new_deadline()
        has_items = self.markers.has_items(sub, deadline)
        if not has_items and not self.users.has_user(sub, deadline):
            raise UserNotFound("There is no such user, and nothing is stored for this sub.")
        self._erase(sub, deadline)

    def _erase(self, sub: str, deadline: Deadline) -> None:
        are_finished = [self.markers.place(kind, sub, deadline) for kind in KINDS]
        if all(are_finished):
            return
        self.users.delete_user(sub, deadline)
        for kind in KINDS:
            self.markers.finish(kind, sub, deadline)
