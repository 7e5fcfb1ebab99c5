"""The values files for models' endpoints: rendered with the chart, and read as a worker would read them."""

from collections.abc import Callable
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

FOLDER = ROOT / "examples" / "values"
FREE = Price(0, 0)
ENDPOINTS = {
    "model-anthropic": ("https://openrouter.ai/api/v1/", None),
    "model-azure": ("https://resource.openai.azure.com/openai/v1/", Price(2e-6, 8e-6)),
    "model-llamacpp": ("http://llama.models.svc:8080/v1/", FREE),
    "model-ollama": ("http://ollama.models.svc:11434/v1/", FREE),
    "model-openai": ("https://api.openai.com/v1/", Price(2e-6, 8e-6)),
    "model-openrouter": ("https://openrouter.ai/api/v1/", None),
    "model-vllm": ("http://vllm.models.svc:8000/v1/", FREE),
}
"""Address and price; where an endpoint names prices itself there is none."""
Read = Callable[[str], tuple[Settings, list[dict[str, Any]]]]


@pytest.fixture
def read(
    render: Callable[..., list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Read:
    """Return a function that renders the chart with a file, and reads the workers' settings from it."""

    def read(name: str) -> tuple[Settings, list[dict[str, Any]]]:
        documents = render("gather", values=FOLDER / f"{name}.yaml")
        data = named(documents, "ConfigMap", "gather-worker")["data"]
        secrets = {"MONGODB_URI": "m", "REDIS_URL": "redis://r", "BRAIN_SERVICE_API_KEY": "k"}
        for variable, value in {**data, **secrets}.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
        if "GATHER_LLM_CA_FILE" in data:
            monkeypatch.setenv("GATHER_LLM_CA_FILE", certifi.where())
        return read_settings(Settings), documents

    return read


def test_every_endpoint_of_the_documentation_has_its_file() -> None:
    """And no other lies there; each says where its key goes."""
    assert sorted(file.stem for file in FOLDER.glob("model-*.yaml")) == list(ENDPOINTS)
    for name in ENDPOINTS:
        comments = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
        assert "# Key: " in comments
        assert "the workers' Secret" in comments


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_worker_takes_what_the_file_says(read: Read, name: str) -> None:
    """The settings are valid, a client can be made of them, and the check before a run has the same ones.

    Without a price that neither the endpoint nor the file says a cap on money would count the highest ones.
    """
    settings, documents = read(name)
    client = new_client(settings.llm_base_url, access=settings.model_access)
    assert (str(client.base_url), settings.llm_price) == ENDPOINTS[name]
    values = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    check = named(documents, "Pod", "gather-test-worker-check")["spec"]["containers"][0]
    assert f"--model={values['operator']['defaultModel']}" in check["args"]
    wanted = settings.model_preferences
    assert wanted.provider.fields() == values.get("model", {}).get("provider", {})
    assert wanted.extra_body == values.get("model", {}).get("extraBody", {})
    assert wanted.reasoning_effort == values.get("model", {}).get("reasoning", {}).get("effort")
    assert ",".join(wanted.fallback_models) == values.get("llmFallbackModel", "")


def test_a_way_out_of_a_company_reaches_the_workers(read: Read) -> None:
    """The proxy concerns the models alone; what NO_PROXY names goes without."""
    settings, documents = read("model-azure")
    data = named(documents, "ConfigMap", "gather-worker")["data"]
    assert data["GATHER_LLM_CA_FILE"] == "/etc/gather/secrets/model-ca.crt"
    assert settings.model_access.proxy == "http://proxy.example.com:3128"
    assert data["NO_PROXY"] == ".svc,10.0.0.0/8"
    assert not {"HTTPS_PROXY", "HTTP_PROXY"} & data.keys()
