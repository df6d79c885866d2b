"""The form that the page makes from the profile's JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    ADVANCED,
    OtherClient,
    Visitor,
    discard,
    expect_error,
    expect_no_error,
    fill_advanced,
    form,
    open_with_storage,
    press,
    save,
)
from tests.support.browser import Site

IN_ADVANCED = 'It is under "Advanced"'
"""A part of the hint at a field whose stored value it cannot show."""

PICTURE = "https://pictures.example/ada.svg"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"></svg>'

OpenWithSchema = Callable[[dict[str, Any] | None], Page]


@pytest.fixture
def open_with_schema(
    open_profile: Callable[[], Page],  # it cleans the tab up
    shared_tab: Page,
    site: Site,
    signed_in_storage: dict[str, str],
) -> OpenWithSchema:
    """Open the page of a stage with another schema. The API still has the schema of all tests."""

    def open_tab(schema: dict[str, Any] | None) -> Page:
        config = json.loads(site.config_file.read_text())
        del config["schema"]
        if schema is not None:
            config["schema"] = schema
        shared_tab.route("**/config.json", lambda route: route.fulfill(json=config))
        open_with_storage(shared_tab, site, signed_in_storage)
        expect(shared_tab.get_by_role("button", name="Save", exact=True)).to_be_visible()
        return shared_tab

    return open_tab


# --- values ---------------------------------------------------------------------------------------


def test_every_kind_of_field_saves_its_value(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    tab = open_profile()
    tab.get_by_label("Name").fill("Ada")
    tab.route(PICTURE, lambda route: route.fulfill(content_type="image/svg+xml", body=SVG))
    tab.get_by_label("Picture").fill(PICTURE)
    tab.get_by_label("Date of birth").fill("1815-12-10")
    tab.get_by_label("Language").select_option("fr")
    tab.get_by_label("Send me the newsletter").check()
    tab.get_by_label("Height").fill("1.65000000000000000001")
    tab.get_by_label("Hobbies").fill("chess\n\nmusic, loud")
    tab.get_by_label("City").fill("London")
    save(tab)
    stored = other_client.api.get(other_client.user).body
    assert b"1.65000000000000000001" in stored
    data = other_client.read()
    del data["height"]
    assert data == {
        "name": "Ada",
        "picture": PICTURE,
        "birthdate": "1815-12-10",
        "language": "fr",
        "newsletter": True,
        "hobbies": ["chess", "music, loud"],
        "address": {"city": "London"},
    }
    tab.reload()
    expect(tab.get_by_label("Name")).to_have_value("Ada")
    expect(tab.get_by_label("Send me the newsletter")).to_be_checked()
    expect(tab.get_by_label("Hobbies")).to_have_value("chess\nmusic, loud")
    expect(tab.get_by_label("Language").locator("option:checked")).to_have_text("fr")
    assert form(tab)[2] == "{}"


def test_a_cleared_field_is_removed(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save(
        '{"language": "en", "newsletter": true, "height": 1, "hobbies": ["a"], '
        '"birthdate": "1815-12-10", "address": {"city": "London"}, "name": "Ada"}'
    )
    tab = open_profile()
    for label in ("Height", "Hobbies", "Date of birth", "City"):
        tab.get_by_label(label).fill("")
    tab.get_by_label("Language").select_option("Not set")
    tab.get_by_label("Send me the newsletter").uncheck()
    save(tab)
    assert other_client.read() == {"name": "Ada", "newsletter": False}


@pytest.mark.parametrize(
    ("format_name", "address"), [("uri", "https://example.com"), ("email", "ada@example.com")]
)
def test_spaces_around_an_address_are_not_saved(
    open_with_schema: OpenWithSchema, other_client: OtherClient, format_name: str, address: str
) -> None:
    field = {"title": "Field", "type": "string", "format": format_name, "pattern": "^[^ ]+$"}
    tab = open_with_schema(schema_with(field))
    tab.get_by_label("Field").fill(f" {address} ")
    save(tab)
    assert other_client.read() == {"f": address}


@pytest.mark.parametrize(
    "stored",
    [
        {"x": {"y": [None, 1]}, "address": {"city": "London", "geo": {"lat": 51}}},
        {"newsletter": False, "hobbies": [], "bio": "", "address": {"city": ""}},
        {"plan": "pro", "born": 1815},
        {"__proto__": {"a": 1}, "a/b": 1, "~": 2, "constructor": "c"},
    ],
)
def test_members_that_the_schema_does_not_know_survive(
    open_profile: Callable[[], Page], other_client: OtherClient, stored: dict[str, Any]
) -> None:
    other_client.save(json.dumps(stored))
    tab = open_profile()
    tab.get_by_label("Name").fill("Ada")
    save(tab)
    tab.get_by_label("Name").fill("Grace")
    save(tab)
    assert other_client.read() == {**stored, "name": "Grace"}


def test_the_form_and_advanced_share_an_object(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"address": {"city": "London", "geo": {"lat": 51}}}')
    tab = open_profile()
    assert form(tab)[2] == '{ "address": { "geo": { "lat": 51 } } }'
    tab.get_by_label("City").fill("Paris")
    fill_advanced(tab, '{"address": {"geo": {"lat": 48}}}')
    save(tab)
    assert other_client.read() == {"address": {"city": "Paris", "geo": {"lat": 48}}}


# --- stored values that the schema does not expect ------------------------------------------------


def schema_with(field: object) -> dict[str, Any]:
    """A schema with a name, and with another member that the API's schema does not have."""
    name = {"title": "Name", "type": "string"}
    return {"type": "object", "properties": {"name": name, "f": field}}


GROUP = {"type": "object", "properties": {"g": {"title": "Field", "type": "string"}}}


@pytest.mark.parametrize(
    ("field", "stored"),
    [
        ({"type": "string"}, {"first": "Ada"}),
        ({"type": "string"}, None),
        ({"type": "string"}, 5),
        ({"type": "string", "format": "date"}, "10 December"),
        ({"type": "string", "format": "date"}, "2023-02-29"),
        ({"type": "string", "format": "date"}, "2023-13-01"),
        ({"type": "string", "format": "date"}, "0000-01-01"),
        ({"enum": ["en"]}, ["en"]),
        ({"enum": ["en"]}, 1),
        ({"type": "boolean"}, "yes"),
        ({"type": "integer"}, "5"),
        ({"type": "array", "items": {"type": "string"}}, ["chess", 1]),
        ({"type": "array", "items": {"type": "string"}}, ["two\nlines"]),
        ({"type": "array", "items": {"type": "string"}}, ["a", ""]),
        (GROUP, {"g": [1]}),
    ],
)
def test_a_value_of_another_type_is_shown_and_kept(
    open_with_schema: OpenWithSchema, other_client: OtherClient, field: dict[str, Any], stored: Any
) -> None:
    other_client.save(json.dumps({"f": stored}))
    tab = open_with_schema(schema_with({"title": "Field", **field}))
    label = tab.get_by_label("Field", exact=True)
    expect(label).not_to_be_editable()
    expect(label).to_have_accessible_description(re.compile(IN_ADVANCED))
    assert json.loads(tab.get_by_label(ADVANCED).input_value()) == {"f": stored}
    tab.get_by_label("Name").fill("Ada")
    save(tab)
    assert other_client.read() == {"name": "Ada", "f": stored}


def test_a_value_of_another_type_is_corrected_under_advanced(
    open_with_schema: OpenWithSchema, other_client: OtherClient
) -> None:
    other_client.save('{"f": {"first": "Ada"}}')
    tab = open_with_schema(schema_with({"title": "Field", "type": "string"}))
    fill_advanced(tab, '{"f": "Ada"}')
    save(tab)
    assert other_client.read() == {"f": "Ada"}
    expect(tab.get_by_label("Field")).to_be_editable()
    expect(tab.get_by_label("Field")).to_have_value("Ada")


@pytest.mark.parametrize(
    ("field", "stored", "text"),
    [
        ({"type": ["string", "null"]}, None, ""),
        ({"enum": ["en", "fr"]}, "de", '"de"'),
        ({"enum": [1, 2]}, 3, "3"),
        ({"type": "string"}, "two\nlines", "twolines"),
        ({"type": "number"}, 0, "0"),
        ({"type": "string", "format": "date"}, "2024-02-29", "2024-02-29"),
        ({"type": "string", "format": "date"}, "0001-01-01", "0001-01-01"),
    ],
)
def test_a_value_that_is_shown_survives_other_changes(
    open_with_schema: OpenWithSchema,
    other_client: OtherClient,
    field: dict[str, Any],
    stored: Any,
    text: str,
) -> None:
    other_client.save(json.dumps({"f": stored}))
    tab = open_with_schema(schema_with({"title": "Field", **field}))
    expect(tab.get_by_label("Field")).to_have_value(text)
    tab.get_by_label("Name").fill("Ada")
    save(tab)
    assert other_client.read() == {"name": "Ada", "f": stored}


# --- what the schema says about a field -----------------------------------------------------------


def test_titles_and_descriptions_are_shown(open_profile: Callable[[], Page]) -> None:
    tab = open_profile()
    expect(tab.get_by_label("Language")).to_have_accessible_description("For e-mails.")
    group = tab.get_by_role("group", name="Address")
    expect(group.get_by_label("Street")).to_be_visible()


def test_a_field_without_a_title_has_the_members_name(open_with_schema: OpenWithSchema) -> None:
    tab = open_with_schema(schema_with({"type": "string"}))
    expect(tab.get_by_label("f", exact=True)).to_be_editable()


def test_a_read_only_value_is_shown(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    other_client.save('{"plan": "pro"}')
    tab = open_profile()
    expect(tab.get_by_label("Plan")).to_have_value("pro")
    expect(tab.get_by_label("Plan")).not_to_be_editable()
    assert form(tab)[2] == "{}"


def test_a_member_with_a_field_is_refused_under_advanced(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    tab = open_profile()
    fill_advanced(tab, '{"address": {"city": "Paris"}}')
    press(tab, "Save")
    expect_error(tab, ADVANCED, 'Remove "city" here')
    fill_advanced(tab, '{"address": 5}')
    tab.get_by_label("City").fill("Paris")
    press(tab, "Save")
    expect_error(tab, ADVANCED, "/address/city: Remove this here.")
    assert other_client.read() is None


@pytest.mark.parametrize(
    ("field", "bad", "message", "good"),
    [
        ({"type": "string", "maxLength": 3}, "four", "at most 3 characters. You have 4.", "abc"),
        ({"type": "string", "maxLength": 2}, "abc", "at most 2", "\U0001f600\U0001f600"),
        ({"type": "string", "minLength": 2}, "a", "at least 2 characters", "ab"),
        ({"type": "string", "pattern": "^[a-z]+$"}, "A", "expected form", "a"),
        ({"type": "string", "format": "email"}, "ada", "e-mail address", "ada@example.com"),
        ({"type": "string", "format": "uri"}, "example.com", "web address", "https://example.com"),
        (
            {"type": "string", "format": "uri", "pattern": "^https://"},
            "http://example.com",
            "https://example.com",
            "https://example.com",
        ),
        ({"type": "number"}, "1,5", "Enter a number", "1.5"),
        ({"type": "number"}, "0x10", "Enter a number", "1e3"),
        ({"type": "integer"}, "1.5", "whole number", "-1"),
        ({"type": "integer", "minimum": 1}, "0", "Enter 1 or more.", "1"),
        ({"type": "integer", "maximum": 3}, "4", "Enter 3 or less.", "3"),
        ({"type": "number", "exclusiveMinimum": 0}, "0", "Enter more than 0.", "0.1"),
        ({"type": "number", "exclusiveMaximum": 1}, "1", "Enter less than 1.", "0.9"),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 1}, "a\nb", "at most 1", "a"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, "a", "at least 2", "a\nb"),
    ],
)
def test_a_mistake_is_shown_before_anything_is_sent(
    open_with_schema: OpenWithSchema,
    other_client: OtherClient,
    field: dict[str, Any],
    bad: str,
    message: str,
    good: str,
) -> None:
    tab = open_with_schema(schema_with({"title": "Field", **field}))
    tab.get_by_label("Field").fill(bad)
    press(tab, "Save")
    expect_error(tab, "Field", message)
    assert other_client.read() is None
    tab.get_by_label("Field").fill(good)
    expect_no_error(tab, "Field")
    save(tab)
    assert "f" in other_client.read()


def test_a_part_of_a_date_is_not_lost(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    tab = open_profile()
    tab.get_by_label("Date of birth").press_sequentially("12")
    press(tab, "Save")
    expect_error(tab, "Date of birth", "Enter a complete date.")
    assert other_client.read() is None
    discard(tab)
    expect(tab.get_by_role("button", name="Save", exact=True)).to_be_disabled()


def test_a_required_field_must_be_filled(
    open_with_schema: OpenWithSchema, other_client: OtherClient
) -> None:
    schema = schema_with({"title": "Field", "type": "string"})
    tab = open_with_schema({**schema, "required": ["name", "f"]})
    expect(tab.get_by_label("Name (required)")).to_have_attribute("aria-required", "true")
    tab.get_by_label("Field").fill("x")
    press(tab, "Save")
    expect_error(tab, "Name", "This field is required.")
    expect(tab.get_by_label("Name")).to_be_focused()
    tab.get_by_label("Name").fill("Ada")
    save(tab)
    assert other_client.read() == {"name": "Ada", "f": "x"}


def test_a_field_of_an_object_is_required_if_there_is_the_object(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    tab = open_profile()
    tab.get_by_label("Name").fill("Ada")
    save(tab)
    tab.get_by_label("Street").fill("St James's Square")
    press(tab, "Save")
    expect_error(tab, "City", "This field is required.")
    tab.get_by_label("City").fill("London")
    save(tab)
    assert other_client.read()["address"] == {"street": "St James's Square", "city": "London"}


def test_a_required_checkbox_saves_no_as_well(
    open_with_schema: OpenWithSchema, other_client: OtherClient
) -> None:
    schema = schema_with({"title": "Field", "type": "boolean"})
    tab = open_with_schema({**schema, "required": ["f"]})
    tab.get_by_label("Name").fill("Ada")
    save(tab)
    assert other_client.read() == {"name": "Ada", "f": False}


def test_a_required_checkbox_does_not_create_its_object(
    open_with_schema: OpenWithSchema, other_client: OtherClient
) -> None:
    members = {
        "yes": {"title": "Yes", "type": "boolean"},
        "text": {"title": "Text", "type": "string"},
    }
    schema = schema_with({"type": "object", "properties": members, "required": ["yes"]})
    tab = open_with_schema(schema)
    tab.get_by_label("Name").fill("Ada")
    save(tab)
    assert other_client.read() == {"name": "Ada"}
    tab.get_by_label("Text").fill("x")
    save(tab)
    assert other_client.read() == {"name": "Ada", "f": {"yes": False, "text": "x"}}


def test_an_error_in_a_list_is_shown_at_the_list(open_profile: Callable[[], Page]) -> None:
    tab = open_profile()
    tab.get_by_label("Hobbies").fill("chess\n" + "a" * 21)
    press(tab, "Save")
    expect_error(tab, "Hobbies", "20")
    expect(tab.get_by_label("Hobbies")).to_be_focused()


# --- other schemas --------------------------------------------------------------------------------


def test_a_stage_without_a_schema_has_a_name_and_a_bio(
    open_with_schema: OpenWithSchema, other_client: OtherClient
) -> None:
    other_client.save('{"name": "Ada", "bio": "Two\\nlines", "language": "en"}')
    tab = open_with_schema(None)
    assert form(tab) == ("Ada", "Two\nlines", '{ "language": "en" }')
    tab.get_by_label("Bio").fill("One line")
    save(tab)
    assert other_client.read() == {"name": "Ada", "bio": "One line", "language": "en"}


def test_a_schema_without_fields_leaves_the_json(
    open_with_schema: OpenWithSchema, other_client: OtherClient
) -> None:
    tab = open_with_schema({"type": "object"})
    expect(tab.get_by_label(ADVANCED)).to_be_visible()
    fill_advanced(tab, '{"name": "Ada"}')
    save(tab)
    assert other_client.read() == {"name": "Ada"}


@pytest.mark.parametrize(
    "field",
    [
        True,
        {},
        {"oneOf": [{"type": "string"}, {"type": "number"}]},
        {"type": ["string", "number"]},
        {"type": "array", "items": {"type": "object"}},
        {"type": "object"},
        {"enum": [None, 1.5]},
        {"$ref": "#/$defs/missing"},
        {"$ref": "#/$defs/endless"},
        {"$ref": "other.json"},
    ],
)
def test_what_the_form_cannot_show_stays_under_advanced(
    open_with_schema: OpenWithSchema, other_client: OtherClient, field: object
) -> None:
    other_client.save('{"f": {"x": 1}}')
    schema = schema_with(field)
    tab = open_with_schema({**schema, "$defs": {"endless": {"$ref": "#/$defs/endless"}}})
    assert json.loads(tab.get_by_label(ADVANCED).input_value()) == {"f": {"x": 1}}
    expect(tab.get_by_label("f", exact=True)).to_have_count(0)


def test_a_reference_within_the_schema_is_followed(
    open_with_schema: OpenWithSchema, other_client: OtherClient
) -> None:
    node: dict[str, Any] = {"type": "object", "properties": {"text": {"$ref": "#/$defs/a~1b"}}}
    node["properties"]["next"] = {"$ref": "#/$defs/node"}
    schema = schema_with({"$ref": "#/$defs/node", "title": "Node"})
    schema["$defs"] = {"node": node, "a/b": {"type": "string", "title": "Text"}}
    tab = open_with_schema(schema)
    tab.get_by_label("Text").first.fill("x")
    save(tab)
    assert other_client.read() == {"f": {"text": "x"}}


# --- the picture ----------------------------------------------------------------------------------


def test_the_profiles_picture_is_shown_without_a_referrer(
    open_profile: Callable[[], Page], other_client: OtherClient
) -> None:
    tab = open_profile()
    tab.route(PICTURE, lambda route: route.fulfill(content_type="image/svg+xml", body=SVG))
    tab.get_by_label("Picture").fill(PICTURE)
    with tab.expect_request(PICTURE) as request:
        save(tab)
    assert "referer" not in request.value.headers
    expect(tab.locator("#picture")).to_be_visible()


@pytest.mark.parametrize(
    ("stored", "initials"),
    [
        ({"name": "Ada"}, "A"),
        ({"name": "ada king lovelace"}, "AL"),
        ({"name": "\U0001f600 x"}, "\U0001f600X"),
        ({"name": "Ada", "picture": "https://pictures.example/broken"}, "A"),
    ],
)
def test_initials_replace_a_missing_picture(
    open_profile: Callable[[], Page],
    other_client: OtherClient,
    shared_visitor: Visitor,
    stored: dict[str, str],
    initials: str,
) -> None:
    other_client.save(json.dumps(stored))
    shared_visitor.context.route("https://pictures.example/*", lambda route: route.abort())
    tab = open_profile()
    expect(tab.locator("#initials")).to_have_text(initials)
    expect(tab.locator("#picture")).to_be_hidden()
    expect(tab.locator("#display-name")).to_have_text(stored["name"])
    shared_visitor.console_errors.clear()  # the picture that failed
