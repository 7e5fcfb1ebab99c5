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

    @property
    def path_parameters(self) -> set[str]:
        """The names of the request's values that stand in the path."""
        return {name for name in self.request if f"{{{name}}}" in self.path}

    @property
    def address(self) -> str:
        """The path with its values."""
        return self.path.format_map(
            {name: quote(str(value), safe="") for name, value in self.request.items()}
        )

    @property
    def query(self) -> Mapping[str, Any] | None:
        """The query's values; None for an operation with a body."""
        if self.method == "post":
            return None
        return {name: value for name, value in self.request.items() if name not in self.path_parameters}


OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    (each["method"], each["path"]): Operation(**each)
    for each in json.loads((files("gather_brain.openapi") / "examples.json").read_text(encoding="utf-8"))
}


def curl(operation: Operation) -> str:
    """Return the example's request as a shell command; the address and the key come from the environment."""
    url = f"$BRAIN_SERVICE_BASE_URL{operation.address}"
    lines = ["curl -sS --fail-with-body" + (" -X DELETE" if operation.method == "delete" else "")]
    if operation.query is not None:
        url += "?" + urlencode(operation.query, doseq=True, safe="", quote_via=quote)
    lines += [f'"{url}"', '-H "Authorization: Bearer $BRAIN_SERVICE_API_KEY"']
    if operation.query is None:
        body = json.dumps(operation.request, indent=2, ensure_ascii=False)
        if "'" in body:
            raise ValueError("an apostrophe would end the shell's quotes")
        lines += ["-H 'Content-Type: application/json'", f"-d '{body}'"]
    return " \\\n  ".join(lines)


def python(operation: Operation) -> str:
    """Return the example's request as a Python program."""
    query = operation.query
    argument = "json" if query is None else "params"
    return "\n".join(
        (
            "import os",
            "",
            "import requests",
            "",
            f"request = {_literal(operation.request if query is None else query)}",
            f"response = requests.{operation.method}(",
            f"""    f"{{os.environ['BRAIN_SERVICE_BASE_URL']}}{operation.address}",""",
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
