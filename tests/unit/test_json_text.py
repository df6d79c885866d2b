"""JSON texts: accepted texts, refused texts with their reasons, and exact numbers."""

import json
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import MalformedJSON
from chalicelib.json_text import read_json, write_json
from chalicelib.profile import JSON
from tests.support.json_values import json_values, typed


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            '{"a": [1, -0, 0.1, 1e5, true, null, "x"]}',
            {"a": [1, 0, Decimal("0.1"), Decimal("1E+5"), True, None, "x"]},
        ),
        (' \n{"a":1}\t', {"a": 1}),
        ('{"a":"\\ud83d\\ude00 \\u0000 \\u00e9"}', {"a": "😀 \0 é"}),
        ('{"a":"\\\\ud800"}', {"a": "\\ud800"}),
        ("12345678901234567890.5", Decimal("12345678901234567890.5")),
        ("null", None),
    ],
)
def test_json_is_read_exactly(text: str, value: JSON) -> None:
    assert typed(read_json(text.encode())) == typed(value)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "line 1, column 2"),
        (b"{'a': 1}", "line 1"),
        (b'{"a": 1,}', "line 1"),
        (b'{"a": 1} x', "line 1, column 10"),
        (b'{"a": 01}', "line 1"),
        (b'{"a": "\x01"}', "line 1, column 8"),
        (b'{"a": 1, "a": 2}', '"a" twice'),
        (b'{"b": {"a": 1, "\\u0061": 2}}', '"a" twice'),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"a": "\\uDC00 x"}', "surrogate"),
        (b'{"\\ud83d": 1}', "surrogate"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "line 1"),
        (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
    ],
)
def test_malformed_json_is_refused_with_a_reason(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedJSON, match=reason):
        read_json(body)


@pytest.mark.parametrize("levels", [501, 990, 1400, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":[', "]}"), ('[{"[":', "}]")])
def test_more_than_500_levels_are_malformed_on_every_python(
    opening: str, closing: str, levels: int
) -> None:
    with pytest.raises(MalformedJSON, match="more than 500 levels"):
        read_json((opening * levels + "1" + closing * levels).encode())


def test_500_levels_are_read() -> None:
    text = "[" * 500 + "1" + "]" * 500
    assert json.dumps(read_json(text.encode())) == text


def test_brackets_in_strings_and_beside_each_other_are_no_levels() -> None:
    text = json.dumps({"[{": "[" * 1000 + '"{\\"', "elements": [[]] * 1000})
    assert read_json(text.encode()) == json.loads(text)


@pytest.mark.parametrize("levels", [30, 900, 990, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_text_that_is_never_closed_is_malformed_at_any_depth(opening: str, levels: int) -> None:
    with pytest.raises(MalformedJSON):
        read_json((opening * levels).encode())


@pytest.mark.parametrize("zero", ["0e" + "9" * 30, "-0.0E-" + "9" * 30])
def test_zero_with_a_huge_exponent_is_zero(zero: str) -> None:
    assert read_json(zero.encode()) == 0


@pytest.mark.parametrize(
    "number",
    [
        "9" * 5000,
        "-" + "9" * 5000,
        "1e400",
        "1e" + "9" * 30,
        "1e-" + "9" * 30,
        "9" * 39 + "e999999999999999961",
    ],
)
def test_huge_numbers_are_read_as_decimals(number: str) -> None:
    assert isinstance(read_json(number.encode()), Decimal)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            {"a": [1, Decimal("0.1"), True, None, "é😀\0"]},
            '{"a":[1,0.1,true,null,"é😀\\u0000"]}',
        ),
        (
            [Decimal("12345678901234567890.5"), {"é": "c", "b": []}],
            '[12345678901234567890.5,{"é":"c","b":[]}]',
        ),
        (Decimal("1E+100"), "1E+100"),
        (10**100, "1" + "0" * 100),
        (Decimal("1E-130"), "1E-130"),
        (Decimal("1.2345678901234567890E-100"), "1.2345678901234567890E-100"),
    ],
)
def test_json_is_written_exactly(value: JSON, text: str) -> None:
    assert write_json(value) == text


@given(json_values)
def test_a_written_value_is_read_back_exactly(value: JSON) -> None:
    assert typed(read_json(write_json(value).encode())) == typed(value)


@given(st.binary() | st.text().map(str.encode))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    with suppress(MalformedJSON):
        read_json(body)
