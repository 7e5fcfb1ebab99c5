"""HTML out of templates, and the files beside it, with the headers that keep everything else out."""

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from gather_bridge.errors import PageDirError
from gather_bridge.page.figures import score
from gather_contracts.events import timestamp

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: browsers would then hide the origin of our own forms, by which they are known.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
FOREVER: Final = "public, max-age=31536000, immutable"
OWN: Final = ("page.js", "page.css", "icon.svg")
OTHERS: Final = ("htmx.js", "chart.js", "pico.css")
TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def as_code(text: str) -> Markup:
    """Return a text with what stands between backticks as code, and everything escaped."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )


class Rendering:
    """Renders pages."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds what we serve of others. Raises PageDirError if it does not."""
        self._files = {
            name: files("gather_bridge.page").joinpath("static", name).read_bytes() for name in OWN
        }
        try:
            self._files |= {name: (folder / name).read_bytes() for name in OTHERS}
        except OSError as error:
            raise PageDirError(
                f"GATHER_BRIDGE_PAGE_DIR: {error.strerror}: it must hold {', '.join(OTHERS)}"
            ) from None
        self._versions = {
            name: hashlib.sha256(content).hexdigest()[:16] for name, content in self._files.items()
        }
        self._templates = Environment(
            loader=PackageLoader("gather_bridge.page"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"as_code": as_code, "score": score, "rfc3339": timestamp}
        self._templates.globals["asset"] = self._address

    def page(
        self, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> HTMLResponse:
        """Return a page, or a part of one."""
        text = self._templates.get_template(template).render(values)
        return HTMLResponse(text, status, headers={**HEADERS, **(headers or {})})

    def file(self, version: str, name: str) -> Response | None:
        """Return a file; another version than ours is not there."""
        if self._versions.get(name) != version:
            return None
        headers = {**HEADERS, "Cache-Control": FOREVER}
        return Response(self._files[name], media_type=TYPES[Path(name).suffix], headers=headers)

    def _address(self, name: str) -> str:
        return f"/assets/{self._versions[name]}/{name}"
