"""Settings: from the environment and from secret files, read once."""

from pathlib import Path

import pytest

from gather_clients.configuration import ConfigurationError, read_settings
from gather_operator.main import main, worker_template
from gather_operator.settings import Settings

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
    settings = read_settings(Settings)
    assert settings.redis_url.get_secret_value() == "redis://:pass@redis:6379/0"
    assert settings.payload_api_key
    assert settings.payload_api_key.get_secret_value() == "key"
    assert "pass" not in repr(settings)


@pytest.mark.usefixtures("secrets")
def test_defaults_are_those_of_the_documentation() -> None:
    """Intervals in seconds."""
    settings = read_settings(Settings)
    assert (settings.tick_interval_s, settings.relist_interval_s, settings.status_interval_s) == (3, 10, 1)
    assert settings.worker_node_selector == {"pool": "cpu_intensive"}
    assert settings.payload_api_key is None
    assert (settings.cms_authorization, settings.cms_limit, settings.cms_paging) == (
        "users API-Key",
        100,
        True,
    )
    assert settings.cms_empty_patience_s == 60


@pytest.mark.usefixtures("secrets")
def test_the_worker_s_place_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the chart renders its values."""
    monkeypatch.setenv("GATHER_WORKER_NODE_SELECTOR", '{"pool":"big"}')
    monkeypatch.setenv("GATHER_WORKER_TOLERATIONS", '[{"operator":"Exists"}]')
    monkeypatch.setenv("GATHER_WORKER_RESOURCES", '{"limits":{"cpu":1,"memory":"512Mi"}}')
    template = worker_template(read_settings(Settings))
    assert template.node_selector == {"pool": "big"}
    assert template.tolerations == [{"operator": "Exists"}]
    assert template.resources == {"limits": {"cpu": 1, "memory": "512Mi"}}


@pytest.mark.usefixtures("secrets")
def test_a_wrong_setting_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value may be a secret."""
    monkeypatch.setenv("NEXT_PUBLIC_APP_URL", "s3cret")
    monkeypatch.setenv("GATHER_OPERATOR_WORKERS", "0")
    with pytest.raises(ConfigurationError) as raised:
        read_settings(Settings)
    message = str(raised.value)
    assert "NEXT_PUBLIC_APP_URL" in message
    assert "GATHER_OPERATOR_WORKERS" in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        pytest.param("GATHER_OPERATOR_PORT", "99999", id="no port"),
        pytest.param("GATHER_LOG_LEVEL", "deafening", id="no level"),
        pytest.param("GATHER_SHARDS", "9", id="too many shards"),
        pytest.param("GATHER_SHARD", "1", id="the second shard of one"),
        pytest.param("GATHER_WORKER_TOLERATIONS", "[{s3cret", id="no JSON"),
        pytest.param("GATHER_WORKER_POD", '{"hostNetwork": "s3cret"}', id="no part of a worker's pod"),
        pytest.param("GATHER_CMS_AUTHORIZATION", "users s3cret-key", id="a key where its form belongs"),
        pytest.param("GATHER_CMS_AUTHORIZATION", "users API-key", id="small letters, which Payload refuses"),
        pytest.param("GATHER_CMS_LIMIT", "99999", id="more than a page may hold"),
        pytest.param("REDIS_URL", "http://:s3cret-pass@redis:6379/0", id="no address of a Redis"),
        pytest.param("REDIS_URL", "redis://:s3cret-pass@redis:s3cret/0", id="no port of a Redis"),
        pytest.param("PAYLOAD_API_KEY", "s3cret\nkey", id="a key of two lines"),
        pytest.param("PAYLOAD_API_KEY", "s3crét-key", id="a key that no header can hold"),
    ],
)
def test_a_wrong_configuration_ends_the_process_with_64_and_no_traceback(
    secrets: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    variable: str,
    value: str,
) -> None:
    """One line that names the variable, and its file if it came from one, never the value."""
    is_secret = variable in {"REDIS_URL", "PAYLOAD_API_KEY"}
    if is_secret:
        (secrets / variable).write_text(value, encoding="utf-8")
    else:
        monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as raised:
        main([])
    assert raised.value.code == 64
    (line,) = capfd.readouterr().err.splitlines()
    place = f"{variable} (file {secrets / variable})" if is_secret else variable
    assert line.startswith(f"gather-operator: {place}: ")
    assert value not in line
    assert "s3cr" not in line


def test_without_a_way_to_the_api_the_process_ends_with_64(
    secrets: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A kubeconfig that does not exist."""
    monkeypatch.setenv("KUBECONFIG", str(secrets / "none"))
    with pytest.raises(SystemExit) as raised:
        main([])
    assert raised.value.code == 64
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("gather-operator: no way to the Kubernetes API: ")
