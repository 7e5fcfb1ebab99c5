"""Settings of every room: read once from the environment and the secrets folder, and what is wrong named.

Secrets are files of the settings' names in the folder `GATHER_SECRETS_DIR`; environment variables go before
them, for local use. What is wrong is said with the variable's name, its file if it came from one, and the
rule that it breaks, never with any part of a value: it can be a secret.
"""

import logging
import os
import re
import ssl
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    AnyUrl,
    BaseModel,
    BeforeValidator,
    SecretBytes,
    SecretStr,
    ValidationError,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsError

from gather_clients.http_calls.secret_headers import KEY_IN_URL, may_be_secret
from gather_contracts.result import ExitCode
from gather_contracts.variables.known_variables import unknown_variables

SECRETS_DIR_DEFAULT: Final = "/etc/gather/secrets"
SHOWN_MAX: Final = 5
"""A longer piece of a value may not stand in a reason; shorter ones stand in ordinary words."""
ITEMS_MAX: Final = 1000
"""A greater number in an error's place may be a key that somebody chose."""

PASSWORD: Final = re.compile(rf"//[^/@\s]*:[^/@\s]+@|{KEY_IN_URL}", re.IGNORECASE)
"""Of an address, or a key among its parameters."""

LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda text: text.upper() if isinstance(text, str) else text),
]
"""A level of Python's logging, in either case."""

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


class ConfigurationError(Exception):
    """The configuration can never work; each of `problems` is a sentence without a value."""

    exit_code: Final = ExitCode.NEVER

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _vouches(file: Path) -> Path:
    try:
        ssl.create_default_context(cafile=file)
    except OSError:  # SSLError is one
        raise ValueError("is not a file of PEM certificates that can be read") from None
    return file


AuthoritiesFile = Annotated[Path, AfterValidator(_vouches)]
"""A file of authorities that vouch for a server."""


def secrets_folder() -> Path | None:
    """Return the folder of secret files, None if there is none."""
    folder = Path(os.environ.get("GATHER_SECRETS_DIR", SECRETS_DIR_DEFAULT))
    return folder if folder.is_dir() else None


def secret_file(variable: str, folder: Path | None = None) -> Path | None:
    """Return the file that a setting is read from, None if the environment has it, or nothing does."""
    folder, name = folder or secrets_folder(), variable.lower()
    if folder is None or name in (key.lower() for key in os.environ):
        return None
    return next((path for path in folder.iterdir() if path.name.lower() == name), None)


def secret_now(variable: str, given: str) -> str:
    """Return a secret as its file has it now, so that one can be replaced while a process runs.

    `given` where it is from no file, or its file cannot be read at this moment.
    """
    try:
        file = secret_file(variable)
        found = file.read_text("utf-8").strip() if file else given
    except (OSError, ValueError):
        return given  # while the file is being replaced
    if found != given:
        from gather_clients.logs import hide_in_logs  # noqa: PLC0415 - few processes ever need it

        hide_in_logs([found], besides=True)
    return found


def read_settings(kind: type[SettingsT], *, prefix: str | None = None, **given: Any) -> SettingsT:
    """Return the settings of the process.

    Args:
        kind: the class of the settings.
        prefix: of the variables, in the place of the class's own.
        given: settings that are not read, such as groups that were read before.

    Raises:
        ConfigurationError: what is missing or wrong, each variable once.
    """
    folder = secrets_folder()
    try:
        return kind(_secrets_dir=folder, _env_prefix=prefix, **given)
    except ValidationError as error:
        wrong = [(found["loc"], _reason(found, kind)) for found in error.errors()]
    except SettingsError as error:
        # Its text names the field, its cause quotes the value.
        named = re.findall(r'field "(\w+)"', str(error))
        wrong = [(tuple(named[:1]), "cannot be read: it is not JSON, or its file is not UTF-8")]
    except RecursionError:
        wrong = [((), "the JSON of a setting is nested too deep")]
    except OSError as error:
        file = Path(str(error.filename or folder))
        raise ConfigurationError(f"the secret file {file} cannot be read: {type(error).__name__}") from None
    variables = _variables(kind, prefix)
    problems = (
        f"{_source(variables[str(place[0])], folder)}{_item(place, kind)}: {reason}"
        if place and str(place[0]) in variables
        else reason
        for place, reason in wrong
    )
    # Not raised inside `except`: the error that quotes values would be its context.
    raise ConfigurationError(*dict.fromkeys(problems))


def unknown_settings() -> list[str]:
    """Return a sentence for each variable and each secret file of our prefix that no room knows."""
    folder = secrets_folder()
    files: list[str] = []
    with suppress(OSError):  # what reads the settings says it
        files = [path.name for path in folder.iterdir()] if folder else []
    return unknown_variables(os.environ, files)


def warn_of_unknown_settings(logger: logging.Logger) -> None:
    """Say at a process's start which settings change nothing, most of them misspelt; never fatal."""
    for said in unknown_settings():
        logger.warning("%s", said)


def secrets_of(value: Any) -> list[str]:
    """Return every secret in the settings, nested ones too, and every address with a password in it.

    Of headers those that may hold one.
    """
    match value:
        case SecretStr() | SecretBytes():
            secret = value.get_secret_value()
            return [secret if isinstance(secret, str) else secret.decode("utf-8", "replace")]
        case BaseModel():
            return [each for name in type(value).model_fields for each in secrets_of(getattr(value, name))]
        case Mapping():
            found = [(name, each) for name, entry in value.items() for each in secrets_of(entry)]
            return [each for name, each in found if may_be_secret(str(name), each)]
        case list() | tuple() | set() | frozenset():
            return [each for entry in value for each in secrets_of(entry)]
        case str() | AnyUrl() if PASSWORD.search(str(value)):
            return [str(value)]
    return []


@contextmanager
def exits_if_misconfigured(program: str) -> Iterator[None]:
    """Turn a ConfigurationError of the block into lines on stderr and an exit with `ExitCode.NEVER`."""
    try:
        yield
    except ConfigurationError as error:
        sys.stderr.write("".join(f"{program}: {problem}\n" for problem in error.problems))
        raise SystemExit(int(error.exit_code)) from None


def _variables(kind: type[BaseSettings], prefix: str | None) -> dict[str, str]:
    """Return the environment variable of each field, by the names that pydantic gives the field in errors."""
    before = kind.model_config.get("env_prefix", "") if prefix is None else prefix
    variables: dict[str, str] = {}
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        variable = alias if isinstance(alias, str) else f"{before}{name}".upper()
        variables |= {name: variable, variable: variable}
    return variables


def _source(variable: str, folder: Path | None) -> str:
    """Return where the value stands: its variable and, unless the environment has it, its file."""
    file = secret_file(variable, folder)
    return f"{variable} (file {file})" if file else variable


def _item(place: tuple[int | str, ...], kind: type[BaseModel]) -> str:
    """Return which item of a list or field of a model is meant; what else a place names can be a key."""
    match place:
        case (_, int(index), *_) if index < ITEMS_MAX:
            return f"[{index}]"
    models = [_model_at(place[:depth], kind) for depth in range(1, len(place))]
    inner = zip(place[1:], models, strict=True)
    return "".join(f".{name}" for name, model in inner if model and name in model.model_fields)


def _model_at(place: tuple[int | str, ...], kind: type[BaseModel]) -> type[BaseModel] | None:
    """Return the model that a setting, or a field of it, holds."""
    model: type[BaseModel] | None = kind
    for name in place:
        fields = model.model_fields.items() if model else ()
        field = next((each for key, each in fields if name in (key, each.validation_alias)), None)
        held = _types(field.annotation) if field else ()
        model = next((each for each in held if isinstance(each, type) and issubclass(each, BaseModel)), None)
    return model


def _types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _types(part)


def _reason(found: ErrorDetails, kind: type[BaseModel]) -> str:
    """Return pydantic's reason, or only its name where the reason quotes the value."""
    model = _model_at(found["loc"][:-1], kind)
    if found["type"] == "extra_forbidden" and model:
        return f"has a field that is none of {', '.join(model.model_fields)}"
    reason = found["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if isinstance(found["input"], str) and found["type"] in {"too_long", "too_short"}:
        # Of a secret, whose type counts as a list to pydantic.
        reason = re.sub(r"items? after validation, not \d+$", "characters", reason)
    # A rule of several settings is one of ours and may name what they hold ("the openai provider needs ...").
    if found["loc"] and any(_shows(reason, text) for text in _texts(found["input"])):
        return f"is not valid ({found['type']})"
    return reason


def _shows(reason: str, text: str) -> bool:
    # A quoted value has more backslashes than the value itself.
    said, secret = reason.replace("\\", ""), text.replace("\\", "")
    return any(said[start : start + SHOWN_MAX + 1] in secret for start in range(len(said) - SHOWN_MAX))


def _texts(value: Any) -> Iterator[str]:
    """Yield every text and number in a value that was given."""
    if isinstance(value, SecretStr | SecretBytes):
        yield from _texts(value.get_secret_value())
    elif isinstance(value, Mapping):
        yield from _texts([*value.keys(), *value.values()])
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for each in value:
            yield from _texts(each)
    else:
        yield value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
