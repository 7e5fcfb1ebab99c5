"""One example of a request and its answer for each operation, and code made from it.

The examples stand in `examples.json`; tests check them against the bodies' models and run the code against a
real brain, in the file's order.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote, urlencode


@dataclass(frozen=True, slots=True)
class Operation:
    """What the document says of one operation beyond its bodies; `shown` is Python that shows the answer."""

    id: str
    tag: str
    method: str
    path: str
    request: Mapping[str, Any]
    response: Mapping[str, Any]
    shown: str


OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    (each["method"], each["path"]): Operation(**each)
    for each in json.loads((files("gather_brain.openapi") / "examples.json").read_text(encoding="utf-8"))
}


def curl(operation: Operation) -> str:
    """Return the example's request as a shell command; the address and the key come from the environment."""
    url = f"$BRAIN_SERVICE_BASE_URL{operation.path}"
    lines = ["curl -sS --fail-with-body"]
    if operation.method == "get":
        url += "?" + urlencode(operation.request, doseq=True, safe="", quote_via=quote)
    lines += [f'"{url}"', '-H "Authorization: Bearer $BRAIN_SERVICE_API_KEY"']
    if operation.method == "post":
        body = json.dumps(operation.request, indent=2, ensure_ascii=False)
        if "'" in body:
            raise ValueError("an apostrophe would end the shell's quotes")
        lines += ["-H 'Content-Type: application/json'", f"-d '{body}'"]
    return " \\\n  ".join(lines)


def python(operation: Operation) -> str:
    """Return the example's request as a Python program."""
    argument = "params" if operation.method == "get" else "json"
    return "\n".join(
        (
            "import os",
            "",
            "import requests",
            "",
            f"request = {_literal(operation.request)}",
            f"response = requests.{operation.method}(",
            f"""    f"{{os.environ['BRAIN_SERVICE_BASE_URL']}}{operation.path}",""",
            """    headers={"Authorization": f"Bearer {os.environ['BRAIN_SERVICE_API_KEY']}"},""",
            f"    {argument}=request,",
            "    timeout=30,",
            ")",
            "response.raise_for_status()",
            "answer = response.json()",
            f"print({operation.shown})",
        )
    )


def _literal(value: Any, margin: str = "") -> str:
    """Return a value as Python, a line for each part."""
    inner = f"{margin}    "
    if isinstance(value, Mapping):
        parts = "".join(
            f"{inner}{json.dumps(name)}: {_literal(each, inner)},\n" for name, each in value.items()
        )
        return f"{{\n{parts}{margin}}}"
    if isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        return f"[\n{''.join(f'{inner}{_literal(each, inner)},' + chr(10) for each in value)}{margin}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value) if not isinstance(value, list) else f"[{', '.join(map(_literal, value))}]"
