"""The configuration file, and where the bridge and its token are: flag, environment, file, in this order."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gather_cli.errors import CliError, Exit

FILE_MAX_BYTES: Final = 2**16
FIELDS: Final = ("bridge", "token", "tokenFile", "user", "namespace")


class WrongConfig(CliError):  # noqa: N818 - a state, said as one
    """The configuration file cannot be used."""

    exit_code = Exit.USAGE


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says, for one context of the kubeconfig."""

    bridge: str = ""
    token: str = ""
    token_file: str = ""
    user: str = ""
    namespace: str = ""


def config_path() -> Path:
    """Return where the file is: GATHER_CONFIG, else $XDG_CONFIG_HOME/gather/config.yaml."""
    if named := os.environ.get("GATHER_CONFIG"):
        return Path(named).expanduser()
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "gather" / "config.yaml"


def read_config(context: str) -> Config:
    """Return what the file says for a context, `contexts.NAME` over the rest; raises WrongConfig."""
    path = config_path()
    try:
        if not path.is_file():
            return Config()
        text = path.read_bytes()[:FILE_MAX_BYTES].decode("utf-8")
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise WrongConfig(f"the configuration file {path} cannot be read: {error}") from error
    found = _parsed(path, text)
    own = (found.get("contexts") or {}).get(context) or {}
    fields = {name: str(own.get(name) or found.get(name) or "") for name in FIELDS}
    if fields["token"] and os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise WrongConfig(f"others can read {path}, which holds a token: chmod 600 {path}")
    token_file = fields["tokenFile"] and str(path.parent / Path(fields["tokenFile"]).expanduser())
    return Config(fields["bridge"], fields["token"], token_file, fields["user"], fields["namespace"])


def read_token(option: str | None, config: Config) -> str:
    """Return the bridge's token, empty if there is none; raises WrongConfig if its file cannot be read."""
    file = option or os.environ.get("GATHER_BRIDGE_TOKEN_FILE")
    if not file and (token := os.environ.get("GATHER_BRIDGE_TOKEN") or config.token):
        return token.strip()
    file = file or config.token_file
    if not file:
        return ""
    try:
        return Path(file).expanduser().read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise WrongConfig(
            f"the token's file {file} cannot be read: {getattr(error, 'strerror', '') or error}"
        ) from error


def _parsed(path: Path, text: str) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - most have no such file

    try:
        found = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise WrongConfig(
            f"the configuration file {path} is no YAML: {' '.join(str(error).split())[:200]}"
        ) from error
    if not isinstance(found, dict) or not isinstance(found.get("contexts") or {}, dict):
        raise WrongConfig(f"the configuration file {path} has another form; docs/cli.md shows one")
    if unknown := sorted(set(found) - {*FIELDS, "contexts"}):
        raise WrongConfig(f"the configuration file {path} has unknown fields: {', '.join(map(str, unknown))}")
    return found
