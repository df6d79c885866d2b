"""The examples in README.md and docs/: fenced blocks and commands, for tests that run them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
DOCUMENTS = [README, *sorted(DOCS.rglob("*.md"))]

HEADING = re.compile(r"^#+ ", re.MULTILINE)
HEADING_OR_BLOCK = re.compile(
    r"^#+ (?P<heading>[^\n]+)$"
    r"|^ *```(?P<language>\w+)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
CODE_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """A fenced block, for example ```sh, and the nearest heading above it."""

    heading: str
    language: str
    text: str


def blocks(document: Path) -> Iterator[Block]:
    """The fenced blocks of a document, in order."""
    heading = ""
    for found in HEADING_OR_BLOCK.finditer(document.read_text()):
        if found["heading"]:
            heading = found["heading"]
        else:
            yield Block(heading, found["language"], found["text"])


def example(document: Path, heading: str, language: str) -> str:
    """The text of the blocks in this language below a heading. The test fails if there are none."""
    texts = [
        block.text
        for block in blocks(document)
        if block.heading == heading and block.language == language
    ]
    if not texts:
        pytest.fail(
            f'{document.name} has no {language} example below "{heading}": '
            "change this test as the document was changed"
        )
    return "".join(texts)


def commands(document: Path, heading: str) -> list[str]:
    """The commands in the `sh` blocks below a heading. A command may continue on the next line."""
    script = example(document, heading, "sh").replace("\\\n", " ")
    return [line for line in script.splitlines() if line.strip()]


def code_in(document: Path) -> str:
    """All code that a reader may type: `sh` blocks, and code spans in the text, one a line."""
    code = [block.text for block in blocks(document) if block.language == "sh"]
    text = HEADING_OR_BLOCK.sub("", document.read_text())
    for span in CODE_SPAN.findall(text):
        code.append(" ".join(span.split()))
    return "\n".join(code)


def names_in_table(document: Path, heading: str, column: int = 0) -> list[str]:
    """The code spans in a column of the tables directly below a heading, from top to bottom."""
    sections = HEADING.split(document.read_text())
    (section,) = (part for part in sections if part.startswith(f"{heading}\n"))
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("|")]
    return [name for row in rows for name in CODE_SPAN.findall(row[column])]
