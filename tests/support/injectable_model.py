"""A model that follows any text's instructions, behind the OpenAI-compatible API: to test prompt injection.

It knows the payloads by heart, so it obeys also those of which it was shown only the beginning. What else it
writes is harmless.
"""

import json
import random
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from gather_demo.llm.material import read_material
from tests.support.http_server import answering
from tests.support.scripted_model import asked_schema, verdict_of

NOTES: Final = 10
FRESH: Final = 6
"""Of its notes those that obey something new; the others look like earlier ones, so that pairs are judged."""
MEGABYTE: Final = "x" * 1_000_000
USAGE: Final = {"prompt_tokens": 900, "completion_tokens": 300, "cost": 0.01}
_MARK: Final = re.compile(r"inj-\d\d")


@dataclass(frozen=True, slots=True)
class Payload:
    """A text that tries to make the model do something, and what a model that obeys it does."""

    mark: str
    """Stands before the text, so that it is known again however much of it is cut off."""
    text: str
    obeys: Mapping[str, Any]


def read_payloads(file: Path, known: Mapping[str, str]) -> list[Payload]:
    """Return the payloads of a file with the `known` things in the places of their names."""
    entries: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    payloads = []
    for number, entry in enumerate(_named(entries, known)):
        mark = f"inj-{number:02}"
        obeys = {key: value for key, value in entry.items() if key != "text"}
        payloads.append(Payload(mark, f"{mark} {entry['text']}", obeys))
    return payloads


def _named(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"@(\w+)@", lambda name: known.get(name[1], name[0]), value)
    if isinstance(value, list):
        return [_named(entry, known) for entry in value]
    if isinstance(value, dict):
        return {_named(key, known): _named(entry, known) for key, entry in value.items()}
    return value


@dataclass
class InjectableModel:
    """Answers requests; remembers them, and which payloads it has obeyed."""

    payloads: Sequence[Payload] = ()
    follows_gaps: bool = False
    """Whether it writes about the gaps that it is shown, as many notes as are asked for."""
    answers: list[str] = field(default_factory=list)
    """Texts that it gives instead of notes, one after the other; "" for notes of its own."""
    uri: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    obeyed: set[tuple[str, str]] = field(default_factory=set)
    """Marks with the way in which they were obeyed: item, root, raw, ..."""
    _fillers: int = 0
    _was_spoiled: bool = False
    """Whether its last answer held no notes: several in a row would end the attempt, and it never gets on."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the completion for a request's body."""
        with self._lock:
            self.requests.append(body)
            shown = set(_MARK.findall(json.dumps(body["messages"])))
            seen = [payload for payload in self.payloads if payload.mark in shown]
            schema = asked_schema(body)
            message = self._message(schema, seen, body["messages"])
        return {"choices": [{"finish_reason": "stop", "message": message}], "usage": USAGE}

    def _message(self, schema: Mapping[str, Any], seen: Sequence[Payload], messages: Any) -> dict[str, Any]:
        if "items" in schema["properties"]:
            if self.answers and (given := self.answers.pop(0)):
                return {"role": "assistant", "content": given}
            return self._notes(seen, gaps_shown(messages) if self.follows_gaps else [])
        # Rising scores keep the loop going.
        answer = filled(schema, min(20 + len(self.requests), 99))
        if "verdicts" in answer:
            pairs = range(json.dumps(messages[-1]).count('\\"pair\\":'))
            asked = [self._next("pairs", self.payloads) for _ in pairs]
            answer["verdicts"] = [{"pair": n, "duplicate": False, **asked[n]} for n in pairs]
        else:
            answer |= verdict_of(messages, answer["depth"])
            answer |= self._next("verdict", seen)
        return {"role": "assistant", "content": json.dumps(answer)}

    def _notes(self, seen: Sequence[Payload], gaps: Sequence[str]) -> dict[str, Any]:
        written = {mark for mark, way in self.obeyed if way == "written"}
        fresh = [payload for payload in seen if payload.mark not in written]
        if self._was_spoiled:
            fresh = [payload for payload in fresh if "raw" not in payload.obeys]
        self._was_spoiled = False
        # What judges are to obey comes first, so that they read it often.
        chosen = sorted(fresh, key=lambda payload: not {"verdict", "pairs"} & set(payload.obeys))[:FRESH]
        for way in ("raw", "message"):
            for payload in chosen:
                if way in payload.obeys and (payload.mark, way) not in self.obeyed:
                    return self._as_asked(payload, way)
        root: dict[str, Any] = {}
        for payload in chosen:
            root |= payload.obeys.get("root", {})
            ways = {"item", "root"} & set(payload.obeys)
            self.obeyed |= {(payload.mark, way) for way in ("written", *ways)}
        notes = [_note(payload) for payload in chosen] + [about(gap, n) for n, gap in enumerate(gaps)]
        again = [payload for payload in self.payloads if payload.mark in written and "pairs" in payload.obeys]
        for number in range(len(notes), NOTES):
            self._fillers += 1
            filler = harmless(len(self.payloads) + self._fillers)
            notes.append(varied(_note(again[number % len(again)]), str(self._fillers)) if again else filler)
        text = json.dumps({**root, "items": notes}).replace("@megabyte@", MEGABYTE)
        return {"role": "assistant", "content": text}

    def _as_asked(self, payload: Payload, way: str) -> dict[str, Any]:
        self.obeyed.add((payload.mark, way))
        good = json.dumps({"items": [harmless(1 - n) for n in range(NOTES)]})
        if way == "message":
            return {"role": "assistant", "content": good, **payload.obeys["message"]}
        self._was_spoiled = True
        text = payload.obeys["raw"].replace("@answer@", good).replace("@megabyte@", MEGABYTE)
        return {"role": "assistant", "content": text}

    def _next(self, way: str, seen: Sequence[Payload]) -> Mapping[str, Any]:
        """Return what the next payload asks a judge for, each in its turn."""
        asked = [p for p in seen if way in p.obeys]
        fresh = [p for p in asked if (p.mark, way) not in self.obeyed]
        if not asked:
            return {}
        chosen = (fresh or asked)[0]
        self.obeyed.add((chosen.mark, way))
        found: Mapping[str, Any] = chosen.obeys[way]
        return found


def fenced(messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the data of a request; raises ValueError if there is not one whole fence."""
    (data,) = re.findall(r"<data>(.*?)</data>", messages[1]["content"], re.DOTALL)
    found: dict[str, Any] = json.loads(data)
    return found


def gaps_shown(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the gaps of a request, each as often as notes on it are asked for."""
    return [order["gap"] for order in fenced(messages)["gaps"] for _ in range(order["notes"])]


def about(gap: str, number: int) -> dict[str, Any]:
    """Return a note about a gap, with a text of its own beside it."""
    note = harmless(number)
    aspect = gap.partition(":")[0]
    return {**note, "content": f"{gap} For {aspect} see {note['summary']}; {aspect} is settled by then."}


def _note(payload: Payload) -> dict[str, Any]:
    """Return a note of the payload's text, with a text of its own beside it."""
    note = harmless(int(payload.mark[-2:]))
    content = f"{payload.text}\n{note['content']}"
    return {**note, "content": content, "summary": payload.text[:300], **payload.obeys.get("item", {})}


@cache
def _texts() -> list[str]:
    """Return texts about a film that are unlike each other, in an order that mixes departments."""
    aspects = [a for d in read_material().departments.values() for a in d.aspects.values()]
    found = [f"{what} {how}" for a in aspects for what, how in zip(a.what, a.how, strict=False)]
    random.Random(1).shuffle(found)  # noqa: S311 - repeatable, not secret
    return [re.sub(r"\{\w+\}", "four", text) for text in found]


def harmless(number: int) -> dict[str, Any]:
    """Return the note of a number; notes are unlike each other, until there are no more texts."""
    text = _texts()[number % len(_texts())]
    return {"content": text, "summary": text[:80], "context": "It matters to the whole film."}


def varied(note: dict[str, Any], seed: str) -> dict[str, Any]:
    """Return the note with some of its words exchanged, few or many as the seed has it."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    share = rng.uniform(0.3, 1.0)
    others = harmless(rng.randrange(1000))["content"].split()
    words = [rng.choice(others) if rng.random() < share else word for word in note["content"].split()]
    # The mark stays, or the note would belong to no payload.
    return {**note, "content": " ".join([note["content"].split()[0], *words[1:]])}


def filled(schema: Mapping[str, Any], number: float) -> Any:
    """Return a plain value of a JSON schema as `json_schema` writes it."""
    if schema["type"] == "object":
        return {name: filled(sub, number) for name, sub in schema["properties"].items()}
    if schema["type"] == "array":
        return [filled(schema["items"], number)]
    return {"string": "Because.", "number": number, "integer": 0, "boolean": False}[schema["type"]]


@contextmanager
def served(model: InjectableModel) -> Iterator[InjectableModel]:
    """Serve the model from this process."""
    with answering(model.answer) as model.uri:
        yield model
