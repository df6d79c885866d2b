"""JSON values for tests: strategies for hypothesis, and comparison by type and value."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st

from chalicelib.profile import JSON


def _number(sign: int, digits: int, exponent: int) -> Decimal:
    """`digits` as a decimal number whose first digit has this exponent."""
    text = str(digits)
    return Decimal((sign, tuple(map(int, text)), exponent - len(text) + 1))


storable_numbers = st.integers(-(10**38) + 1, 10**38 - 1) | st.builds(
    _number, st.integers(0, 1), st.integers(1, 10**38 - 1), st.integers(-130, 125)
)
"""Numbers of up to 38 digits, in DynamoDB's range."""
scalars = st.none() | st.booleans() | storable_numbers | st.text()
json_values: st.SearchStrategy[JSON] = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1), inner)
)
"""Any JSON value that DynamoDB can store as part of an item."""


def typed(value: JSON) -> object:
    """`value` in a form where true does not equal 1. Numbers are equal if their values are."""
    if isinstance(value, dict):
        return {name: typed(member) for name, member in value.items()}
    if isinstance(value, list):
        return [typed(element) for element in value]
    if isinstance(value, Decimal):
        return (int, value)
    return (type(value), value)


def nested(levels: int, kind: str = "object") -> JSON:
    """An object with this many levels of nested objects or arrays, counting itself."""
    value: JSON = {} if kind == "object" else []
    for _ in range(levels - 2):
        value = {"a": value} if kind == "object" else [value]
    return {"a": value}
