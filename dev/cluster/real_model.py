"""`make demo MODEL=…`: the same demo with a real model, its key handled so that nobody sees it.

The key comes from the environment and goes by standard input into a Secret, which the worker mounts as a
file. It is never in an argument, a log, a chart's value or a pod's variable. Only the standard library is
imported: a key that is missing is said in the first second.
"""

import base64
import json
import os
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from dev.commands import output_of
from dev.errors import MachineError

KEY = "OPENROUTER_API_KEY"
URL = "GATHER_LLM_BASE_URL"
"""The two variables by which the worker's own settings are called, and those of `make model-report`."""
OPENROUTER = "https://openrouter.ai/api/v1"
CAP_DEFAULT_USD = 0.5
DEPARTMENT = "production"
"""Takes part, and names no model of its own in the demo CMS, so that the operator's default counts."""
ITERATIONS_MAX = 10
"""What a department of the example run gets of its 50, and some more."""
SECRET = "gather-demo-model"  # noqa: S105 - its name
WORKER_SECRET = "gather-backing-worker"  # noqa: S105 - its name


@dataclass(frozen=True, slots=True)
class RealModel:
    """A model behind an OpenAI-compatible endpoint.

    Attributes:
        name: as the endpoint calls it.
        url: the endpoint's address, which ends with the API's version.
        cap_usd: what the run may cost.
        key: none for an endpoint that wants none.
    """

    name: str
    url: str = OPENROUTER
    cap_usd: float = CAP_DEFAULT_USD
    key: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        """The endpoint's host, for people."""
        return urlsplit(self.url).hostname or ""


def read_model(name: str, cap_usd: float, environment: Mapping[str, str]) -> RealModel:
    """Return the model with its endpoint and key from the environment.

    Raises MachineError if the key is missing, or if endpoint or cap can never work.
    """
    url, key = environment.get(URL, "").strip() or OPENROUTER, environment.get(KEY, "").strip()
    if not key and url == OPENROUTER:
        raise MachineError(
            f"MODEL={name} needs a key: export {KEY}=… (made at https://openrouter.ai/settings/keys), "
            f"or name another endpoint with {URL}=https://…/v1, whose key goes into {KEY} too."
        )
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query:
        raise MachineError(f"{URL} holds more than an address, which would be seen: put the key into {KEY}.")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise MachineError(
            f"{URL}={url} is no address: it begins with https:// or http:// and ends as in …/v1."
        )
    if not 0 < cap_usd <= 100:  # noqa: PLR2004 - a demo
        raise MachineError(f"MAX_COST={cap_usd:g} is not between 0 and 100 USD.")
    return RealModel(name, url, cap_usd, key)


def take_model(name: str, cap_usd: float, environment: MutableMapping[str, str] = os.environ) -> RealModel:
    """Return the model as `read_model` does, and hide its key from the programs that we start."""
    model = read_model(name, cap_usd, environment)
    environment.pop(KEY, None)
    return model


def secret_manifest(worker_secret: Mapping[str, Any], model: RealModel) -> str:
    """Return the workers' Secret with the model's key in it, for kubectl's standard input.

    Args:
        worker_secret: the Secret of the chart `gather-backing`, as the API server has it.
        model: whose key it gets; without one, the file of the key is left out.
    """
    data = {name: value for name, value in worker_secret["data"].items() if name != KEY}
    if model.key:
        data[KEY] = base64.b64encode(model.key.encode()).decode()
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "labels": worker_secret["metadata"].get("labels", {})},
        "type": "Opaque",
        "data": data,
    }
    return json.dumps(body)


def chart_values(model: RealModel, url: str, proxy: str) -> dict[str, str]:
    """Return the values of the chart `gather` by which its workers ask this model.

    Args:
        model: which it is.
        url: the endpoint as pods reach it.
        proxy: through which they do; none if empty.
    """
    return {
        "operator.defaultModel": model.name,
        "llmBaseUrl": url,
        "model.proxy": proxy,
        "worker.existingSecret": SECRET,
    }


def way_settings() -> dict[str, str]:
    """Return the values, for Helm to read, by which its NetworkPolicies follow the model's address."""
    return {"networkPolicy.egress.model": "null"}


def run_manifest(example: Mapping[str, Any], model: RealModel) -> str:
    """Return the example run for one department and within the cap, under a name that is new each time."""
    spec = {
        **example["spec"],
        "departments": [DEPARTMENT],
        "maxIterations": ITERATIONS_MAX,
        "budget": {"maxCostUSD": model.cap_usd},
    }
    metadata = {"generateName": f"{example['metadata']['name']}-"}
    return json.dumps({**example, "metadata": metadata, "spec": spec})


def give_key(kubectl: Sequence[str], namespace: str, model: RealModel) -> None:
    """Make the workers' Secret with the model's key."""
    in_namespace = [*kubectl, "-n", namespace]
    known = json.loads(output_of([*in_namespace, "get", "secret", WORKER_SECRET, "-o", "json"]))
    # On the server's side: else the whole manifest, key and all, would be copied into an annotation.
    apply = [*in_namespace, "apply", "--server-side", "--force-conflicts", "-f", "-"]
    output_of(apply, stdin=secret_manifest(known, model))


def take_key(kubectl: Sequence[str], namespace: str) -> None:
    """Delete that Secret, if it is there."""
    output_of([*kubectl, "-n", namespace, "delete", "secret", SECRET, "--ignore-not-found"])
