"""Lists in a query: whatever form a caller's library writes them in, the API reads one.

Read are `name=a&name=b`, `name[]=a&name[]=b`, `name[0]=a&name[1]=b`, and in each of them `a,b` for two
entries. An empty entry is none.
"""

import re
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_plus, urlencode

from fastapi import Request, Response

from gather_clients.web.json_route import JsonRoute

_SUFFIX: Final = re.compile(r"(?:\[\d{0,4}\])?")
_ERRORS: Final = "surrogateescape"
"""What is no UTF-8 stays as it came, for the API to refuse."""


@dataclass(frozen=True, slots=True)
class ListParameter:
    """A list: its name, and the one of its forms that the endpoint reads and the document names.

    A plain comma stands between two entries. One that is percent-encoded does so too, since many libraries
    encode all of "a,b", but not where `holds_commas`: there it is a part of its entry, as in RFC 6570,
    section 3.2.8.
    """

    name: str
    read_as: str
    holds_commas: bool

    def is_named(self, key: str) -> bool:
        """Return whether a parameter is this list in one of its forms."""
        return key.startswith(self.name) and _SUFFIX.fullmatch(key[len(self.name) :]) is not None

    def entries(self, written: str) -> Iterator[tuple[str, str]]:
        """Yield the entries of a value as it came, each under the name that the endpoint reads."""
        for part in written.split(","):
            text = _decoded(part)
            for entry in [text] if self.holds_commas else text.split(","):
                if entry:
                    yield self.read_as, entry


LISTS: Final = (
    ListParameter("previousDepartments", "previousDepartments[]", holds_commas=False),
    # What is deleted by mistake is lost.
    ListParameter("ids", "ids", holds_commas=True),
)
"""All lists of all endpoints."""


def with_one_form(query: bytes) -> bytes:
    """Return the query with each entry of a list as a parameter of its own, after all others."""
    if not any(each.name.encode() in query for each in LISTS):
        return query
    others: list[tuple[str, str]] = []
    entries: list[tuple[str, str]] = []
    for part in query.decode("latin-1").split("&"):
        key, _, written = part.partition("=")
        name = _decoded(key)
        found = next((each for each in LISTS if each.is_named(name)), None)
        if found is not None:
            entries += found.entries(written)
        elif part:
            others.append((name, _decoded(written)))
    return urlencode([*others, *entries], errors=_ERRORS).encode("latin-1")


class ListRoute(JsonRoute):
    """A route whose lists may be written in any of the usual forms."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            query = with_one_form(request.scope["query_string"])
            return await handler(Request({**request.scope, "query_string": query}, request.receive))

        return handle


def _decoded(written: str) -> str:
    return unquote_plus(written, errors=_ERRORS)
