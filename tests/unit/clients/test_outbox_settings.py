"""The outbox's settings: what is wrong is named, and the MongoDB driver is loaded only where it is used."""

import subprocess
import sys

import pytest
from pydantic_settings import SettingsConfigDict

from gather_clients.configuration import ConfigurationError, read_settings
from gather_clients.outbox.outbox_settings import OutboxSettings, open_outbox


class Settings(OutboxSettings):
    """As a room's."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")


def test_an_outbox_without_a_place_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both variables are named, since either mends it."""
    monkeypatch.setenv("GATHER_OUTBOX", "true")
    with pytest.raises(ConfigurationError, match="GATHER_OUTBOX is true, so MONGODB_URI must say"):
        read_settings(Settings)


async def test_an_address_that_is_none_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It holds a password."""
    monkeypatch.setenv("GATHER_OUTBOX", "true")
    monkeypatch.setenv("MONGODB_URI", "mongodb://gather:hunter2hunter2@[::1:27017/")
    with pytest.raises(
        ConfigurationError, match=r"^MONGODB_URI: is not the address of a MongoDB$"
    ) as refused:
        open_outbox(read_settings(Settings))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("has_outbox", ["false", ""], ids=["switched off", "not said"])
def test_without_the_switch_there_is_none(monkeypatch: pytest.MonkeyPatch, has_outbox: str) -> None:
    """Though there is an address, such as that of the workers' Secret."""
    monkeypatch.setenv("MONGODB_URI", "mongodb://nowhere:27017/")
    if has_outbox:
        monkeypatch.setenv("GATHER_OUTBOX", has_outbox)
    assert open_outbox(read_settings(Settings)) is None


@pytest.mark.parametrize("module", ["gather_operator.main", "gather_bridge.main"])
def test_the_driver_is_not_loaded_where_nobody_uses_it(module: str) -> None:
    """It takes 14 MB."""
    code = f"import sys, {module}; sys.exit('pymongo' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
