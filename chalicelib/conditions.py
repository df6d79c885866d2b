"""Preconditions as DynamoDB condition expressions.

Each write request contains its condition, so that checking and writing are one atomic step.
PUT, POST and DELETE start with `from_precondition`. PATCH, which reads first, and every repeated
write use `unchanged`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chalicelib import items
from chalicelib.preconditions import Precondition, Tags, Wildcard


@dataclass(frozen=True)
class Condition:
    """A condition expression and the values of its placeholders. If it is empty, there is none."""

    expression: str = ""
    values: dict[str, items.AttributeValue] = field(default_factory=dict)


NOT_ERASED = f"attribute_not_exists({items.ERASED_AT})"
"""The store adds this to every condition: nothing replaces the marker of an erased account."""
ERASED = f"attribute_exists({items.ERASED_AT})"
ALWAYS = Condition()
EXISTS = Condition(f"attribute_exists({items.SORT_KEY})")
ABSENT = Condition(f"attribute_not_exists({items.SORT_KEY})")
NEVER = Condition(f"{EXISTS.expression} AND {ABSENT.expression}")
"""Never holds: DynamoDB refuses the write and returns the stored item."""


def from_precondition(precondition: Precondition) -> Condition:
    """A condition that allows a write only if `precondition` holds.

    Some preconditions cannot be expressed: both headers at once, If-None-Match with tags, and the
    tags of an item without a revision. Their condition also refuses writes that are allowed. The
    store then checks the precondition against the item that DynamoDB returns with the refusal.
    """
    if precondition.if_match is None:
        if precondition.if_none_match is None and not precondition.required:
            return ALWAYS
        return ABSENT
    if precondition.if_none_match is not None:
        return NEVER
    return _matching(precondition.if_match)


def _matching(tags: Tags) -> Condition:
    if tags is Wildcard.ANY:
        return EXISTS
    revisions = sorted(tags - {""})  # no revision is empty
    if not revisions:
        return NEVER
    values = {f":tag{number}": {"S": revision} for number, revision in enumerate(revisions)}
    return Condition(f"{items.REVISION} IN ({', '.join(values)})", values)


def unchanged(item: items.Item, kind: items.Kind) -> Condition:
    """The condition that exactly `item` is stored. For an empty item: that no item is stored."""
    if not item:
        return ABSENT
    if items.REVISION in item:
        return Condition(f"{items.REVISION} = :seen", {":seen": item[items.REVISION]})
    # An item of the original example has no revision. Its data is compared instead.
    terms = [EXISTS.expression, f"attribute_not_exists({items.REVISION})"]
    values: items.Item = {}
    for name in kind.attributes:
        if name in item:
            values[f":seen_{name}"] = item[name]
            terms.append(f"{name} = :seen_{name}")
        else:
            terms.append(f"attribute_not_exists({name})")
    return Condition(" AND ".join(terms), values)
