"""Preconditions: parses and evaluates If-Match and If-None-Match (RFC 9110, section 13)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import Literal, NamedTuple, TypeAlias

from chalicelib.errors import MalformedPrecondition, PreconditionFailed, PreconditionRequired

ENTITY_TAG = re.compile(r'(?:W/)?"([!#-~\x80-\xff]*)"(?=[ \t]*(?:,|$))')
MAX_TAGS = 100
"""The most tags in one header. DynamoDB's IN operator takes at most 100 values."""


class Wildcard(Enum):
    """The `*` of a header: any stored profile. It is not an entity tag."""

    ANY = "*"


Tags: TypeAlias = frozenset[str] | Literal[Wildcard.ANY]
"""The value of one header: a set of revisions without their quotes, or ANY."""


class Precondition(NamedTuple):
    """A requirement on the stored revision. A header that was not sent is None."""

    if_match: Tags | None = None
    if_none_match: Tags | None = None
    required: bool = False
    """Whether a change of an existing profile needs one of the headers."""

    def check(self, revision: str | None) -> None:
        """Check the whole precondition, for a write.

        `revision` is the stored profile's; None if no profile is stored.
        Raises PreconditionFailed or PreconditionRequired.
        """
        self.require_match(revision)
        if self.excludes(revision):
            if self.if_none_match is Wildcard.ANY:
                raise PreconditionFailed("Data is already stored", revision)
            raise PreconditionFailed("If-None-Match names the stored data", revision)
        is_unconditional = self.if_match is None and self.if_none_match is None
        if self.required and is_unconditional and revision is not None:
            raise PreconditionRequired("Send the ETag of the data that you change in If-Match.")

    def require_match(self, revision: str | None) -> None:
        """Raise PreconditionFailed if If-Match was sent and does not name `revision`."""
        if self.if_match is None or _includes(self.if_match, revision):
            return
        if revision is None:
            raise PreconditionFailed("Nothing is stored", revision)
        raise PreconditionFailed("The stored data has changed", revision)

    def check_without_etag(self) -> None:
        """Raise PreconditionFailed unless this holds for a resource that exists and has no ETag."""
        if self.if_match is not None and self.if_match is not Wildcard.ANY:
            raise PreconditionFailed("An account has no ETag", None)
        if self.if_none_match is Wildcard.ANY:
            raise PreconditionFailed("If-None-Match: * never holds for an account", None)

    def excludes(self, revision: str | None) -> bool:
        """Whether If-None-Match was sent and names `revision`."""
        return self.if_none_match is not None and _includes(self.if_none_match, revision)


UNCONDITIONAL = Precondition()


def _includes(tags: Tags, revision: str | None) -> bool:
    if revision is None:
        return False
    if tags is Wildcard.ANY:
        return True
    return revision in tags


def parse_tags(header: str, lines: Sequence[str]) -> Tags | None:
    """The revisions in the lines of If-Match or If-None-Match; None if there are no lines.

    Weak tags count like strong ones. If-None-Match compares weakly. If-Match would have to compare
    strongly (RFC 9110, section 13.1.1), but proxies that compress responses weaken their ETags, and
    a client behind one could then never send an ETag that matches. A revision names one exact state
    and is never reused, so its weak form is as safe.

    `header` is the name to use in errors. Raises MalformedPrecondition.
    """
    if not lines:
        return None
    text = ",".join(lines).strip()  # several lines of a header are one list (RFC 9110, 5.3)
    if text == "*":
        return Wildcard.ANY
    found = ENTITY_TAG.findall(text)
    rest = ENTITY_TAG.sub("", text).strip(", \t")
    if not found or len(found) > MAX_TAGS or rest:
        raise MalformedPrecondition(
            f'{header} must be * or a list of up to {MAX_TAGS} entity tags, like "one", "another".'
        )
    return frozenset(found)
