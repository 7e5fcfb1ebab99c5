"""Pictures of a terminal: what a command printed, in its colours, and nothing of another site."""

import os
import re

import pytest

from dev.errors import CommandError
from dev.package.terminal_picture import output_on_a_terminal, picture


def test_a_command_has_a_terminal_whose_colours_are_kept() -> None:
    shown = output_on_a_terminal("test -t 1 && printf '\\033[32mgreen\\033[0m\\n'", os.environ)
    assert shown == "\x1b[32mgreen\x1b[0m\n"
    svg = picture("title", [("echo", shown)])
    assert "green" in svg
    assert "$&#160;echo" in svg


def test_a_picture_asks_no_other_site() -> None:
    found = set(re.findall(r"https?://[^\s\"'<>]+", picture("title", [("echo", "text\n")])))
    assert found == {"http://www.w3.org/2000/svg", "https://www.textualize.io"}


def test_a_command_that_fails_makes_no_picture() -> None:
    with pytest.raises(CommandError, match=r"(?s)`echo no; exit 3` failed \(3\).*no"):
        output_on_a_terminal("echo no; exit 3", os.environ)
