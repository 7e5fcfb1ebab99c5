"""The values files for models' endpoints: rendered with the chart, and read as a worker would read them."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import certifi
import pytest
import yaml

from dev.paths import ROOT
from gather_worker.llm.access.model_client import new_client
from gather_worker.llm.pricing import Price
from gather_worker.settings import Settings, read_settings
from tests.support.kubernetes.rendered_charts import named

FILES = sorted((ROOT / "examples" / "values").glob("model-*.yaml"))
ENDPOINTS = {
    "model-anthropic": "https://openrouter.ai/api/v1/",
    "model-azure": "https://resource.openai.azure.com/openai/v1/",
    "model-llamacpp": "http://llama.models.svc:8080/v1/",
    "model-ollama": "http://ollama.models.svc:11434/v1/",
    "model-openai": "https://api.openai.com/v1/",
    "model-openrouter": "https://openrouter.ai/api/v1/",
    "model-vllm": "http://vllm.models.svc:8000/v1/",
}
Helm = Callable[[Sequence[str]], subprocess.CompletedProcess[str]]
Read = Callable[[Path], tuple[Settings, list[dict[str, Any]]]]


@pytest.fixture
def read(helm: Helm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Read:
    """Return a function that renders the chart with a file, and reads the workers' settings from it."""

    def read(file: Path) -> tuple[Settings, list[dict[str, Any]]]:
        chart = ROOT / "charts" / "gather"
        values = ["--values", str(chart / "values-dev.yaml"), "--values", str(file)]
        done = helm(["template", "gather", str(chart), "--namespace", "film", *values])
        assert done.returncode == 0, done.stderr
        documents = [document for document in yaml.safe_load_all(done.stdout) if document]
        data = named(documents, "ConfigMap", "gather-worker")["data"]
        for name, value in data.items():
            monkeypatch.setenv(name, value)
        for name, value in {
            "MONGODB_URI": "m",
            "REDIS_URL": "redis://r",
            "BRAIN_SERVICE_API_KEY": "k",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
        if "GATHER_LLM_CA_FILE" in data:
            monkeypatch.setenv("GATHER_LLM_CA_FILE", certifi.where())
        return read_settings(Settings), documents

    return read


def test_every_endpoint_of_the_documentation_has_its_file() -> None:
    """And no other lies there."""
    assert [file.stem for file in FILES] == list(ENDPOINTS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_worker_takes_what_the_file_says(read: Read, file: Path) -> None:
    """The settings are valid, a client can be made of them, and the check before a run has the same ones."""
    settings, documents = read(file)
    client = new_client(settings.llm_base_url, access=settings.model_access)
    assert str(client.base_url) == ENDPOINTS[file.stem]
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    check = named(documents, "Pod", "gather-test-worker-check")["spec"]["containers"][0]
    assert f"--model={values['operator']['defaultModel']}" in check["args"]
    wanted = settings.model_preferences
    assert wanted.provider.fields() == values.get("model", {}).get("provider", {})
    assert wanted.extra_body == values.get("model", {}).get("extraBody", {})
    assert ",".join(wanted.fallback_models) == values.get("llmFallbackModel", "")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_an_endpoint_does_not_say_of_prices_the_file_says(read: Read, file: Path) -> None:
    """Or a run's cap on money would count the highest ones; and the comments say where the key goes."""
    settings, _ = read(file)
    is_openrouter = "openrouter.ai" in settings.llm_base_url
    own = {"model-openai": Price(2e-6, 8e-6), "model-azure": Price(2e-6, 8e-6)}
    expected = None if is_openrouter else own.get(file.stem, Price(0, 0))
    assert settings.llm_price == expected
    comments = file.read_text(encoding="utf-8")
    assert "# Key: " in comments
    assert "the workers' Secret" in comments


def test_confidential_scripts_have_a_file(read: Read) -> None:
    """No provider that keeps prompts."""
    settings, _ = read(ROOT / "examples" / "values" / "model-openrouter.yaml")
    provider = settings.model_preferences.provider
    assert (provider.data_collection, provider.zdr) == ("deny", True)


def test_a_way_out_of_a_company_reaches_the_workers(read: Read) -> None:
    """The proxy concerns the models alone; what NO_PROXY names goes without."""
    settings, documents = read(ROOT / "examples" / "values" / "model-azure.yaml")
    data = named(documents, "ConfigMap", "gather-worker")["data"]
    assert data["GATHER_LLM_CA_FILE"] == "/etc/gather/secrets/model-ca.crt"
    assert settings.model_access.proxy == "http://proxy.example.com:3128"
    assert data["NO_PROXY"] == ".svc,10.0.0.0/8"
    assert not {"HTTPS_PROXY", "HTTP_PROXY"} & data.keys()
