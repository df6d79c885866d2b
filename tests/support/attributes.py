"""The attributes of the table's items, for tests that hold for each of them."""

from chalicelib import items

ATTRIBUTES = (
    items.PARTITION_KEY,
    items.SORT_KEY,
    *items.PROFILE.attributes,
    *items.METADATA.attributes,
    items.REVISION,
    items.CREATED_AT,
    items.UPDATED_AT,
    items.ERASED_AT,
)
"""Their names."""
