"""Settings: from the environment and from secret files, read once."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gather_operator.main import _without_input, worker_template
from gather_operator.settings import read_settings

NEEDED = {
    "GATHER_NAMESPACE": "films",
    "GATHER_WORKER_IMAGE": "worker:1",
    "NEXT_PUBLIC_APP_URL": "http://cms:8080/",
}


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The mounted Secret, and the environment that the chart gives."""
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    for name in ("REDIS_URL", "PAYLOAD_API_KEY", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    (tmp_path / "REDIS_URL").write_text("redis://:pass@redis:6379/0\n", encoding="utf-8")
    return tmp_path


def test_secrets_come_from_files(secrets: Path) -> None:
    """Without the newline that an editor leaves."""
    (secrets / "PAYLOAD_API_KEY").write_text("key", encoding="utf-8")
    settings = read_settings()
    assert settings.redis_url.get_secret_value() == "redis://:pass@redis:6379/0"
    assert settings.payload_api_key
    assert settings.payload_api_key.get_secret_value() == "key"
    assert "pass" not in repr(settings)


@pytest.mark.usefixtures("secrets")
def test_defaults_are_those_of_the_documentation() -> None:
    """Intervals in seconds."""
    settings = read_settings()
    assert (settings.tick_interval_s, settings.relist_interval_s, settings.status_interval_s) == (3, 10, 1)
    assert settings.worker_node_selector == {"pool": "cpu_intensive"}
    assert settings.payload_api_key is None


@pytest.mark.usefixtures("secrets")
def test_the_worker_s_place_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the chart renders its values."""
    monkeypatch.setenv("GATHER_WORKER_NODE_SELECTOR", '{"pool":"big"}')
    monkeypatch.setenv("GATHER_WORKER_TOLERATIONS", '[{"operator":"Exists"}]')
    monkeypatch.setenv("GATHER_WORKER_RESOURCES", '{"limits":{"cpu":1,"memory":"512Mi"}}')
    template = worker_template(read_settings())
    assert template.node_selector == {"pool": "big"}
    assert template.tolerations == [{"operator": "Exists"}]
    assert template.resources == {"limits": {"cpu": 1, "memory": "512Mi"}}


@pytest.mark.usefixtures("secrets")
def test_a_wrong_setting_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value may be a secret."""
    monkeypatch.setenv("NEXT_PUBLIC_APP_URL", "s3cret")
    monkeypatch.setenv("GATHER_OPERATOR_WORKERS", "0")
    with pytest.raises(ValidationError) as raised:
        read_settings()
    message = _without_input(raised.value)
    assert "NEXT_PUBLIC_APP_URL" in message
    assert "GATHER_OPERATOR_WORKERS" in message
    assert "s3cret" not in message
