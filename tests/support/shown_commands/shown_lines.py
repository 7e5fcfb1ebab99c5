"""The commands that a page of the documentation shows: in blocks of a shell, and between backticks.

A block without a language, or with `sh`, is a shell's; every other names its language. Where the first line
begins with a prompt, the others are output. What no test can try says so in its comment, with the reason.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dev.paths import ROOT

FENCE: Final = re.compile(r"^ *(`{3,})(.*)$")
INDENTED: Final = re.compile(r"^ {4,}\S")
CODE: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
COMMENT: Final = re.compile(r"(?:^|\s)#\s.*", re.DOTALL)
MARK: Final = re.compile(r"not tried by a test: \w+")
PROMPT: Final = "$ "
HELP: Final = "Usage: "
HELP_EXAMPLE: Final = "    gather "
SHELL: Final = {"", "sh"}
INLINE: Final = re.compile(
    r"(?:[A-Z_]+=\S* )*(?:make|gather(?:-[a-z]+)?|(?:dev/)?(?:kubectl|helm)|(?:\.venv/bin/)?python -m) \S"
)
"""What stands between backticks and is a command; others are names, files and values."""
PLACEHOLDER: Final = re.compile(r"<([\w-]+)>")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code: its language, the number of its first line, its lines without their common indent."""

    language: str
    line: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A command as a page shows it; between backticks it may be a part of one (`is_whole`)."""

    page: str
    line: int
    text: str
    is_whole: bool


def blocks_and_prose(text: str) -> tuple[list[Block], list[tuple[int, str]]]:
    """Return the blocks of code of a Markdown page, and its other lines with their numbers."""
    blocks: list[Block] = []
    prose: list[tuple[int, str]] = []
    lines = text.splitlines()
    place = 0
    while place < len(lines):
        end = place + 1
        if fence := FENCE.match(lines[place]):
            while end < len(lines) and lines[end].strip() != fence[1]:
                end += 1
            blocks.append(Block(fence[2].strip(), place + 2, _dedented(lines[place + 1 : end])))
            end += 1
        elif INDENTED.match(lines[place]) and (place == 0 or not lines[place - 1].strip()):
            while end < len(lines) and (INDENTED.match(lines[end]) or not lines[end].strip()):
                end += 1
            blocks.append(Block("", place + 1, _dedented(lines[place:end])))
        else:
            prose.append((place + 1, lines[place]))
        place = end
    return blocks, prose


def _dedented(lines: list[str]) -> tuple[str, ...]:
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return tuple(line[indent:] for line in lines)


def shown_in(page: Path) -> Iterator[Shown]:
    """Yield every command of a page that is not marked as one that no test tries."""
    blocks, prose = blocks_and_prose(page.read_text("utf-8"))
    name = str(page.relative_to(ROOT))
    for block in blocks:
        for line, text in commands_of(block):
            yield Shown(name, line, text, is_whole=True)
    for line, text in prose:
        for code in CODE.findall(text):
            if INLINE.match(code):
                yield Shown(name, line, code, is_whole=False)


def commands_of(block: Block) -> Iterator[tuple[int, str]]:
    """Yield the commands of a block with their lines' numbers: comments gone, what goes on joined."""
    if block.language not in SHELL:
        return
    lines = list(enumerate(block.lines, block.line))
    if block.lines and block.lines[0].startswith(HELP):
        lines = [(number, line.strip()) for number, line in lines if line.startswith(HELP_EXAMPLE)]
    elif block.lines and block.lines[0].startswith(PROMPT):
        lines = [(number, line.removeprefix(PROMPT)) for number, line in lines if line.startswith(PROMPT)]
    begun, first = "", 0
    for number, line in lines:
        first = first if begun else number
        whole = begun + line
        if whole.endswith("\\") or not _is_closed(without_comment(whole)):
            begun = whole.removesuffix("\\") + ("" if whole.endswith("\\") else "\n")
            continue
        begun = ""
        if without_comment(whole).strip() and not MARK.search(whole):
            yield first, without_comment(whole).strip()
    if begun:
        raise ValueError(f"line {first}: a quotation without an end: {begun}")


def without_comment(line: str) -> str:
    """Return a line up to its comment."""
    for found in COMMENT.finditer(line):
        before = line[: found.start()]
        if _is_closed(before):
            return before
    return line


def _is_closed(text: str) -> bool:
    try:
        shlex.split(text)
    except ValueError:
        return False
    return True


def simple_commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each program that a line calls, those in `$(…)` and `<(…)` too."""
    lexer = shlex.shlex(PLACEHOLDER.sub(r"\1", text), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    skips = False
    for token in lexer:
        if set(token) <= set("();<>|&"):
            yield from _called(words)
            # A redirection has its file; after a substitution goes on the command around it.
            words, skips = [], token in {">", ">>", "<", ")"}
        elif not skips:
            words.append(token)
            for inner in re.findall(r"\$\((.+)\)", token, re.DOTALL):
                yield from simple_commands(inner)
    yield from _called(words)


def _called(words: list[str]) -> Iterator[list[str]]:
    place = 0
    while place < len(words) and re.match(r"[A-Za-z_]\w*=", words[place]):
        place += 1
    called = [word for word in words[place:] if word not in {"…", "..."}]
    if called:
        yield called
