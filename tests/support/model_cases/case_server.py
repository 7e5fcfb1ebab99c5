"""An endpoint on the network that gives a worker the answers of cases, as raw as they came."""

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from tests.support.http_server import serving
from tests.support.model_cases.case_bodies import GOOD, PLACE, answer_body
from tests.support.model_cases.case_files import Answer, Case, Completion
from tests.support.scripted_model import verdict_of

APART: Final = 20
"""So far the numbers of one case's notes are from the next one's: none of them is a duplicate."""


@dataclass
class CaseServer:
    """Answers requests for notes out of `answers`, then with good notes; and judges, the score rising."""

    answers: list[Answer] = field(default_factory=list)
    uri: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    charged_usd: float = 0.0
    charged_tokens: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: dict[str, Any]) -> Answer:
        """Return the answer to a request, whose truth is charged."""
        with self._lock:
            self.requests.append(request)
            given = self._choose(request)
            self.charged_usd += given.truth.usd
            self.charged_tokens += given.truth.tokens
            return given

    def _choose(self, request: dict[str, Any]) -> Answer:
        data = _data(request["messages"])
        if "pairs" in data:
            verdicts = [{"pair": n, "duplicate": False} for n in range(len(data["pairs"]))]
            return _said({"verdicts": verdicts})
        if "gaps" not in data:
            score = min(20 + 2 * len(self.requests), 95)
            return _said(verdict_of(request["messages"], score))
        return self.answers.pop(0) if self.answers else shifted(GOOD, APART * len(self.requests))


def _data(messages: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return the data of a request, in whichever message it stands."""
    texts = (message["content"] for message in messages)
    (data,) = [found for text in texts for found in re.findall(r"<data>\n(.*?)\n</data>", text, re.DOTALL)]
    found: dict[str, Any] = json.loads(data)
    return found


def _said(value: Any) -> Answer:
    return Answer(completion=Completion(content=json.dumps(value)))


def answers_of(cases: Sequence[Case]) -> list[Answer]:
    """Return the cases' answers one after the other, each case's notes apart from the others'."""
    return [
        shifted(answer, APART * place)
        for place, case in enumerate(cases)
        for answer in [*case.sequence, *[GOOD] * (len(case.expect.steps) - len(case.sequence))]
    ]


def shifted(answer: Answer, by: int) -> Answer:
    """Return the answer with other notes in it: their numbers so much higher."""

    def moved(place: re.Match[str]) -> str:
        first, last = place["first"], place["last"]
        low = 1 if last is None and place["form"] != "note" else int(first)
        high = int(last or first)
        return f"@{place['encoded'] or ''}{place['form']}:{low + by}-{high + by}@"

    text = json.dumps(answer.model_dump(), ensure_ascii=False)
    return Answer.model_validate(json.loads(PLACE.sub(moved, text)))


@contextmanager
def served(answers: Sequence[Answer]) -> Iterator[CaseServer]:
    """Serve the answers from this process."""
    model = CaseServer(list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_error(404)

        def do_POST(self) -> None:
            given = model.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            content, headers = answer_body(given)
            self.send_response(given.status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing: the output is the test's."""

    with serving(Handler) as model.uri:
        yield model
