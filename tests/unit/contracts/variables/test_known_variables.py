"""Misspelt variables are named with the nearest known one; other rooms' and Kubernetes' are not."""

import ast
import re

import pytest

from dev.paths import ROOT
from gather_brain.context.settings import PREFIX as THEMES
from gather_brain.context.settings import ThemeSettings
from gather_brain.embeddings.settings import NEXT_PREFIX, ModelSettings
from gather_brain.embeddings.settings import PREFIX as EMBEDDINGS
from gather_contracts.variables.known_variables import SAID_MAX, known_variables, unknown_variables

ROOMS = ("contracts", "clients", "operator", "worker", "brain", "bridge", "cli", "demo", "dev")
GIVEN = {"GATHER_BRAIN_MODELS", "GATHER_BRAIN_THEMES"}
"""Groups of settings with variables of their own; what an environment says for the group is not read."""


def test_the_list_has_what_the_rooms_read_and_nothing_else() -> None:
    """Who adds a setting adds a line to known_variables.txt."""
    texts = {
        node.value
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = {text for text in texts if re.fullmatch(r"GATHER_[A-Z0-9_]*[A-Z0-9]", text)} - GIVEN
    groups = ((EMBEDDINGS, ModelSettings), (NEXT_PREFIX, ModelSettings), (THEMES, ThemeSettings))
    named |= {f"{prefix}{name}".upper() for prefix, kind in groups for name in kind.model_fields}
    assert {name for name in known_variables() if name.startswith("GATHER_")} == named


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("GATHER_LLM_TIMEOUT", "GATHER_LLM_TIMEOUT_S"),
        ("gather_llm_timeout", "GATHER_LLM_TIMEOUT_S"),
        ("GATHER_LLM_FALLBACK_MODELS", "GATHER_LLM_FALLBACK_MODEL"),
        ("GATHER_LLM_EXTRA_HEADER", "GATHER_LLM_EXTRA_HEADERS"),
        ("GATHER_JUDGEMODEL", "GATHER_JUDGE_MODEL"),
        ("GATHER_REDIS_URL", "REDIS_URL"),
        ("GATHER_MONGODB_URI", "MONGODB_URI"),
        ("GATHER_BRAIN_NEXT_EMBEDING_MODEL", "GATHER_BRAIN_NEXT_EMBEDDING_MODEL"),
    ],
)
def test_a_misspelt_name_is_said_with_the_nearest(name: str, nearest: str) -> None:
    """As a variable and as a file of the secrets folder; its value may be a secret."""
    said = [f"{name} is no setting of Gather and changes nothing; {nearest} is one"]
    assert unknown_variables({name: "value-of-12345", "HOME": "/"}) == said
    assert unknown_variables({}, [name, "tokens.json", "..data"]) == said


def test_a_name_that_is_like_none_is_said_alone() -> None:
    """A wrong guess helps nobody."""
    assert unknown_variables({"GATHER_ZZZ": ""}) == ["GATHER_ZZZ is no setting of Gather and changes nothing"]


@pytest.mark.parametrize(
    "variables",
    [
        dict.fromkeys(known_variables(), "x"),
        {"gather_llm_timeout_s": "5"},
        {"GATHER_BRAIN_SERVICE_HOST": "10.0.0.1", "GATHER_BRAIN_SERVICE_PORT": "8000"},
        {"GATHER_BRAIN_SERVICE_PORT_HTTP": "8000", "GATHER_PORT": "tcp://10.0.0.1:8000"},
        {"GATHER_BRAIN_PORT_8000_TCP": "tcp://10.0.0.1:8000", "GATHER_BRAIN_PORT_8000_TCP_ADDR": "10.0.0.1"},
        {"GATHER_BRAIN_PORT_8000_TCP_PORT": "8000", "GATHER_BRAIN_PORT_8000_TCP_PROTO": "tcp"},
        {"GATHER_DOOR_HTTP_PORT": "tcp://10.0.0.1:80", "GATHER_BRAIN_PORT": "tcp://10.0.0.1:8000"},
        {"GATHERING": "1", "MY_GATHER_X": "1", "GATHER": "1"},
    ],
    ids=["known", "small letters", "service", "named port", "port", "port's parts", "links", "others"],
)
def test_what_is_known_or_of_kubernetes_is_not_said(variables: dict[str, str]) -> None:
    """A pod has its own settings, those of other rooms, and Kubernetes' variables for each Service."""
    assert unknown_variables(variables) == []


def test_many_are_said_shortly() -> None:
    """An environment is anybody's."""
    said = unknown_variables({f"GATHER_Q{number:03}": "" for number in range(SAID_MAX + 5)})
    assert len(said) == SAID_MAX + 1
    assert said[-1] == "5 more variables are no settings of Gather"
    (long,) = unknown_variables({"GATHER_" + "\n" + "Q" * 5000: ""})
    assert len(long) < 300
    assert "\n" not in long
