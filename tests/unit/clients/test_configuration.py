"""Settings of a room: where they come from, and what is said of wrong ones."""

import json
import logging
import os
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Discriminator, Field, HttpUrl, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gather_clients.configuration import (
    ConfigurationError,
    LogLevel,
    exits_if_misconfigured,
    read_settings,
    secret_now,
    secrets_folder,
    secrets_of,
)
from gather_clients.logs import without_secrets

NAMES: Final = ("PORT", "URL", "NETWORKS", "LIMITS", "KIND", "OWN", "LEVEL", "KEY", "NUMBER")


class Disk(BaseModel):
    kind: Literal["disk"]


class Memory(BaseModel):
    kind: Literal["memory"]
    size: int


class GroupSettings(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="ROOM_GROUP_")

    model: str | None = None
    base_url: HttpUrl | None = None
    api_key: SecretStr | None = Field(default=None, max_length=64)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.api_key and not self.model:
            raise ValueError("ROOM_GROUP_API_KEY needs ROOM_GROUP_MODEL")
        return self


class Settings(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    port: int = Field(default=8080, le=65535, alias="ROOM_PORT")
    url: HttpUrl = Field(default=HttpUrl("http://service"), alias="ROOM_URL")
    networks: tuple[IPv4Network | IPv6Network, ...] = Field(default=(), alias="ROOM_NETWORKS")
    limits: dict[str, int] = Field(default={}, alias="ROOM_LIMITS")
    kind: Annotated[Disk | Memory, Discriminator("kind")] = Field(
        default=Disk(kind="disk"), alias="ROOM_KIND"
    )
    own: str = Field(default="", alias="ROOM_OWN")
    log_level: LogLevel = Field(default="INFO", alias="ROOM_LEVEL")
    key: SecretStr | None = Field(default=None, max_length=64, alias="ROOM_KEY")
    number: float = Field(default=0, allow_inf_nan=False, validation_alias="ROOM_NUMBER")
    groups: tuple[GroupSettings, ...] = Field(default=(), alias="ROOM_GROUPS")

    @field_validator("own")
    @classmethod
    def _number(cls, text: str) -> str:
        # As somebody writes it who does not think of what `int` says.
        return str(int(text)) if text else text


class Demanding(Settings):
    token: SecretStr = Field(alias="ROOM_TOKEN")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secrets")


@pytest.fixture(autouse=True)
def clean(folder: Path) -> Iterator[pytest.MonkeyPatch]:
    """Neither variables nor files but those of the test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.upper().startswith("ROOM_")]:
            patch.delenv(name)
        patch.setenv("GATHER_SECRETS_DIR", str(folder))
        yield patch
    for path in folder.iterdir():
        path.unlink()


def problems(kind: type[BaseSettings] = Settings, **options: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as wrong:
        read_settings(kind, **options)
    assert wrong.value.__context__ is None
    assert int(wrong.value.exit_code) == 64
    return wrong.value.problems


def test_the_environment_goes_before_files(clean: pytest.MonkeyPatch, folder: Path) -> None:
    """Space around a file's content does not count."""
    (folder / "ROOM_PORT").write_text(" 1\n")
    (folder / "room_number").write_text("2.5")
    assert (read_settings(Settings).port, read_settings(Settings).number) == (1, 2.5)
    clean.setenv("ROOM_PORT", "3")
    assert read_settings(Settings).port == 3


def test_a_folder_that_is_not_there_holds_nothing(clean: pytest.MonkeyPatch, folder: Path) -> None:
    """As outside of Kubernetes."""
    assert secrets_folder() == folder
    clean.setenv("GATHER_SECRETS_DIR", str(folder / "none"))
    assert secrets_folder() is None
    assert read_settings(Settings).port == 8080


def test_groups_have_prefixes(clean: pytest.MonkeyPatch, folder: Path) -> None:
    """The same class for the group at work and for the next one."""
    clean.setenv("ROOM_GROUP_MODEL", "one")
    (folder / "ROOM_GROUP_NEXT_MODEL").write_text("two")
    groups = read_settings(GroupSettings), read_settings(GroupSettings, prefix="ROOM_GROUP_NEXT_")
    assert [group.model for group in read_settings(Settings, groups=groups).groups] == ["one", "two"]
    path = folder / "ROOM_GROUP_NEXT_API_KEY"
    path.write_text("x" * 65)
    assert problems(GroupSettings, prefix="ROOM_GROUP_NEXT_") == (
        f"ROOM_GROUP_NEXT_API_KEY (file {path}): Value should have at most 64 characters",
    )


@pytest.mark.parametrize(
    ("value", "level"), [("info", "INFO"), ("Warning", "WARNING"), ("DEBUG", "DEBUG"), ("ERROR", "ERROR")]
)
def test_a_log_level_is_known_in_either_case(clean: pytest.MonkeyPatch, value: str, level: str) -> None:
    """So that Python's logging never sees another."""
    clean.setenv("ROOM_LEVEL", value)
    assert read_settings(Settings).log_level == level
    assert logging.getLevelName(level) != f"Level {level}"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ROOM_PORT", "99999", "ROOM_PORT: Input should be less than or equal to 65535"),
        ("ROOM_URL", "htp://x", "ROOM_URL: URL scheme should be 'http' or 'https'"),
        ("ROOM_NETWORKS", '["10.0.0.0/8", "x"]', "ROOM_NETWORKS[1]: Input is not a valid IPv4 network"),
        ("ROOM_NETWORKS", "[", "ROOM_NETWORKS: cannot be read: it is not JSON, or its file is not UTF-8"),
        (
            "ROOM_LEVEL",
            "loud",
            "ROOM_LEVEL: Input should be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'",
        ),
        ("ROOM_KIND", '{"kind": "secret-kind"}', "ROOM_KIND: is not valid (union_tag_invalid)"),
        ("ROOM_OWN", "secret-number", "ROOM_OWN: is not valid (value_error)"),
        (
            "room_port",
            "x",
            "ROOM_PORT: Input should be a valid integer, unable to parse string as an integer",
        ),
    ],
)
def test_what_is_wrong_has_its_variable_and_pydantics_reason(
    clean: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    """Where the reason quotes the value, only the reason's name."""
    clean.setenv(variable, value)
    assert problems()[0] == said


def test_all_that_is_wrong_is_said_at_once(clean: pytest.MonkeyPatch, folder: Path) -> None:
    """What is missing, what is wrong in a file, and what is wrong in the environment."""
    clean.setenv("ROOM_PORT", "x")
    (folder / "ROOM_KEY").write_text("x" * 65)
    assert problems(Demanding) == (
        "ROOM_PORT: Input should be a valid integer, unable to parse string as an integer",
        f"ROOM_KEY (file {folder}/ROOM_KEY): Value should have at most 64 characters",
        "ROOM_TOKEN: Field required",
    )


def test_a_file_that_is_no_text_is_named(folder: Path) -> None:
    """Python's own error holds its bytes."""
    (folder / "ROOM_KEY").write_bytes(b"\xff\xfesecret-bytes")
    assert problems() == (
        f"ROOM_KEY (file {folder}/ROOM_KEY): cannot be read: it is not JSON, or its file is not UTF-8",
    )


def test_a_rule_of_several_settings_is_said_in_its_own_words(clean: pytest.MonkeyPatch) -> None:
    """It names the variables itself."""
    clean.setenv("ROOM_GROUP_API_KEY", "a-secret-key")
    assert problems(GroupSettings) == ("ROOM_GROUP_API_KEY needs ROOM_GROUP_MODEL",)


def test_a_program_ends_with_one_line_a_problem(
    clean: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And with the exit code for input that can never work; other errors pass."""
    clean.setenv("ROOM_PORT", "x")
    with pytest.raises(SystemExit) as ended, exits_if_misconfigured("gather-room"):
        read_settings(Demanding)
    assert ended.value.code == 64
    assert capsys.readouterr().err == (
        "gather-room: ROOM_PORT: Input should be a valid integer, unable to parse string as an integer\n"
        "gather-room: ROOM_TOKEN: Field required\n"
    )
    with pytest.raises(KeyError), exits_if_misconfigured("gather-room"):
        raise KeyError


def test_secrets_are_found_wherever_they_stand(clean: pytest.MonkeyPatch) -> None:
    """In groups too, and addresses with a password in them; a plain address is none."""
    clean.setenv("ROOM_KEY", "key-of-the-room")
    clean.setenv("ROOM_URL", "https://user:password@service/")
    group = GroupSettings(
        model="one", api_key=SecretStr("key-of-the-group"), base_url=HttpUrl("http://plain")
    )
    found = read_settings(Settings, groups=(group,))
    assert set(secrets_of(found)) == {
        "key-of-the-room",
        "https://user:password@service/",
        "key-of-the-group",
    }
    assert secrets_of({"a": [SecretStr("one")], "b": "http://[", "c": 1}) == ["one"]


def _forms(value: str) -> st.SearchStrategy[str]:
    """Return the value as settings of every form may hold it."""
    return st.sampled_from(
        [
            value,
            json.dumps([value]),
            json.dumps({value: value}),
            json.dumps({"kind": value}),
            json.dumps({"kind": "memory", "size": value}),
            json.dumps({"kind": "memory", value: [[value]]}),
            f"https://user:{value}@host:{value}/",
            f"{value}://host",
            f'["{value}',
            value * 20,
        ]
    )


# Characters that no rule's text has six of in a row.
VALUES: Final = st.text(st.sampled_from("QXZ0123456789_#@\\\"'é漢 "), min_size=6, max_size=30).map(str.strip)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), values=st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)), in_files=st.booleans())
@example(data=None, values=dict.fromkeys(NAMES, "QXZ-QXZ-QXZ"), in_files=False)
def test_no_value_is_ever_said(data: Any, values: dict[str, str], in_files: bool, folder: Path) -> None:
    """Whatever is wrong with it, in whatever form it is given; nor is any piece of six characters."""
    given_as = {
        name: data.draw(_forms(value)) if data else json.dumps({"kind": value})
        for name, value in values.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given_as.items():
            if in_files:
                (folder / f"ROOM_{name}").write_text(value, encoding="utf-8")
            else:
                (folder / f"ROOM_{name}").unlink(missing_ok=True)
                patch.setenv(f"ROOM_{name}", value)
        for kind in (Settings, Demanding, GroupSettings):
            try:
                read_settings(kind)
            except ConfigurationError as error:
                said = str(error).replace(str(folder), "")
                for value in values.values():
                    pieces = {value[start : start + 6] for start in range(max(len(value) - 5, 1))}
                    assert not [piece for piece in pieces if len(piece) >= 6 and piece in said]


def test_a_secret_is_as_its_file_has_it_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Secret that is replaced reaches a process that runs; a variable stays what it was."""
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    assert secret_now("ROOM_KEY", "given") == "given"
    (tmp_path / "ROOM_KEY").write_text("replaced\n", encoding="utf-8")
    assert secret_now("ROOM_KEY", "given") == "replaced"
    (tmp_path / "ROOM_KEY").write_bytes(b"\xff")
    assert secret_now("ROOM_KEY", "given") == "given"
    (tmp_path / "ROOM_KEY").write_text("replaced", encoding="utf-8")
    monkeypatch.setenv("ROOM_KEY", "variable")
    assert secret_now("ROOM_KEY", "variable") == "variable"


def test_a_secret_that_came_later_is_in_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is struck out as those are that were there at the start."""
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    (tmp_path / "ROOM_KEY").write_text("a-later-secret", encoding="utf-8")
    secret_now("ROOM_KEY", "given")
    assert without_secrets("refused: a-later-secret") == "refused: ***"
