"""A film's notes as its people have written them: any number of every form, each with words of its own.

The forms are those of `application_documents` and `reported_shapes`, said again with other words in many
scripts.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import bson
from bson import ObjectId
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from tests.support.application.reported_shapes import BYTES_THAT_ARE_NO_TEXT, REPORTED, REPORTED_UNREADABLE
from tests.support.application_documents import COUNTS, FORMS, UNREADABLE, Document, person_note

LISTS_IN_LISTS: Final = "forty lists in lists"
BAD_ID: Final = UNREADABLE["an endless id"][1]
DEPARTMENTS: Final = ("story", "character")
FIRST_DAY: Final = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
MINUTES: Final = 300 * 24 * 60

ALL_FORMS: Final[dict[str, tuple[Document, str]]] = {
    **FORMS,
    **REPORTED,
    "not canon": ({"canon": False, "content": COUNTS}, COUNTS),
    "id of an old shell": ({"_id": 41.0, "content": COUNTS}, COUNTS),
    "text turned by hand": ({"content": f"\u202e{COUNTS}\u202c\r\n\u2066salt\u2069"}, f"{COUNTS}\nsalt"),
    "page of a scan": ({"content": "", "extractedText": f"12\x0c{COUNTS}\x00\x0c13"}, f"12\n{COUNTS}\n13"),
    LISTS_IN_LISTS: ({"content": COUNTS}, COUNTS),
    "JSON under names of formats": (
        {"content": json.dumps({"style": COUNTS, "color": "The red of the door."})},
        f"{COUNTS}\nThe red of the door.",
    ),
    "breaks in a text": ({"content": f"{COUNTS}<br>salt"}, f"{COUNTS}\nsalt"),
    "picture with its text": ({"content": f'<p><img src="/p.png" alt="{COUNTS}"></p>'}, COUNTS),
    "9,000 characters": ({"content": COUNTS + " salt" * 1800}, COUNTS),
}
"""By name: what differs from `person_note`, and what must be read."""
ALL_UNREADABLE: Final[dict[str, tuple[Document, str]]] = {**UNREADABLE, **REPORTED_UNREADABLE}
"""By name: what differs, and why it is no note."""
OFTEN: Final = ("plain", "no summary", "JSON object", "Lexical", "upload, read out", "two words")
"""What most notes are."""
SELDOM: Final = {"very long": 8}
"""By name: how often at most in all; longer ones than the worker keeps whole are tested elsewhere."""
OFTEN_SHARE: Final = 0.5
UNREADABLE_SHARE: Final = 0.03
SUMMARY_SHARE: Final = 0.7
SAME_FORM_SHARE: Final = 0.7
COPIED_SHARE: Final = 0.01
"""Texts that somebody has pasted twice."""

_VOICES: Final = (
    (("Marta", "The keeper", "Nobody on deck"), ("counts", "hides", "sells"), ("the lamps", "each tide")),
    (("Die Wärterin", "Öde Straße,"), ("zählt", "verschließt"), ("jede Lampe", "das Gewölbe")),
    (("La gardienne", "L'île"), ("n'écoute", "répète"), ("que la marée", "çà et là")),
    (("灯台守は", "漁師たちは"), ("毎晩", "三度"), ("灯りを数える", "網を引く")),
    (("守灯人", "渡船上的人"), ("每晚", "从不"), ("数灯", "回头")),
    (("الحارسة", "البحر"), ("تعد", "يخفي"), ("كل مصباح", "الرسالة")),
    (("שומרת המגדלור", "הים"), ("סופרת", "מסתיר"), ("כל מנורה", "את המכתב")),
    (("등대지기는", "섬은"), ("매일 밤", "조용히"), ("등불을 센다", "잠든다")),
    (("दीपरक्षक", "समुद्र"), ("हर रात", "चुपचाप"), ("दीये गिनता है", "चिट्ठी छिपाता है")),
    (("👩\u200d🚒 keeper", "🌊🌊"), ("🔦 counts", "☠️ hides"), ("lamps 🧑🏽\u200d🤝\u200d🧑🏻", "the 🚢")),
    (("A\u0301da", "Zo\u0308e"), ("cou\u0327nts", "hi\u0323des"), ("the la\u0302mps", "no\u030ane")),
)  # fmt: skip
"""Beginnings, middles and ends of what people write, one language a line; composed and decomposed letters."""
_EMOJI_BELL: Final = BYTES_THAT_ARE_NO_TEXT.encode()
_LENIENT: Final = CodecOptions[RawBSONDocument](
    document_class=RawBSONDocument, unicode_decode_error_handler="replace"
)
_CUT_EMOJI: Final = b"\xf0\x9f\x90\x07"
"""As many bytes as they replace, so that the document's lengths stay right."""


@dataclass(frozen=True)
class Written:
    """A note as somebody has written it, and what a reader must make of it."""

    document: Document
    form: str
    words: str
    """What must be read in it."""
    unread: str | None = None
    """Why it cannot be read, None if it can."""

    @property
    def node_id(self) -> str:
        """Return the id under which the brain would have it."""
        return id_text_of(self.document["_id"])

    @property
    def is_canon(self) -> bool:
        """Return whether it counts."""
        return self.document.get("canon") is not False


class FilmNotes:
    """Writes notes of one project; the same seed writes the same ones in the same order."""

    def __init__(self, project_id: str, seed: int) -> None:
        self._project_id = project_id
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._written = 0
        self._seldom: dict[str, int] = {}
        self._sentence = ("", "", "")

    def some(self, count: int) -> Iterator[Written]:
        """Yield so many notes: one of each form first, the rest as often as people write them."""
        each = [*ALL_FORMS, *ALL_UNREADABLE]
        self._random.shuffle(each)
        for place in range(count):
            yield self.note(each[place] if place < len(each) else self._form())

    def note(self, form: str = "") -> Written:
        """Return a new note."""
        form = form or self._form()
        fields, words, unread = self._said_again(form)
        has_summary = unread is None and self._random.random() < SUMMARY_SHARE
        made = FIRST_DAY + timedelta(minutes=self._random.randrange(MINUTES))
        document = person_note(self._project_id, **{
            "createdAt": made, "lastUpdated": made + timedelta(minutes=self._random.randrange(40)),
            "summary": " ".join(self._sentence[:2]) if has_summary else "", **fields,
            "_id": self._own_id(fields.get("_id"), made),
        })  # fmt: skip
        return Written(self._finished(document, form), form, words, unread)

    def rewritten(self, note: Written, now: datetime) -> Written:
        """Return the note with other words, often in another form; its id and its day stay."""
        is_same = self._random.random() < SAME_FORM_SHARE
        form = note.form if is_same else self._random.choice([*FORMS, *REPORTED])
        form = "plain" if form in SELDOM or form in ALL_UNREADABLE else form
        fields, words, _ = self._said_again(form)
        kept = {name: note.document[name] for name in ("_id", "createdAt") if name in note.document}
        document = person_note(self._project_id, **(fields | {"lastUpdated": now} | kept))
        stays_unread = note.unread if note.unread == BAD_ID else None
        return Written(self._finished(document, form), form, words, stays_unread)

    def sentence(self) -> str:
        """Return a new sentence."""
        begins, middles, ends = self._random.choice(_VOICES)
        self._written += 1
        pick = self._random.choice
        self._sentence = (pick(begins), f"{pick(middles)} {self._written}", pick(ends))
        return "{} {} {}.".format(*self._sentence)

    def _form(self) -> str:
        chance = self._random.random()
        if chance < UNREADABLE_SHARE:
            return self._random.choice([*ALL_UNREADABLE])
        if chance < OFTEN_SHARE:
            return self._random.choice(OFTEN)
        form = self._random.choice([*ALL_FORMS])
        if form in SELDOM:
            self._seldom[form] = self._seldom.get(form, 0) + 1
            return form if self._seldom[form] <= SELDOM[form] else "plain"
        return form

    def _said_again(self, form: str) -> tuple[Document, str, str | None]:
        """Return a form's fields with a new sentence in them, what must be read, and why it cannot be."""
        if self._random.random() > COPIED_SHARE or not self._sentence[0]:
            self.sentence()
        if form in ALL_UNREADABLE:
            fields, why = ALL_UNREADABLE[form]
            return self._said(fields), "", why
        fields, words = ALL_FORMS[form]
        return self._said(fields), self._said(words), None

    def _said(self, value: Any) -> Any:
        if isinstance(value, str):
            for part, words in zip(("Marta counts", "every", "stroke"), self._sentence, strict=True):
                value = value.replace(part, words)
            return value
        if isinstance(value, dict):
            return {name: self._said(each) for name, each in value.items()}
        return [self._said(each) for each in value] if isinstance(value, list) else value

    def _own_id(self, template: Any, made: datetime) -> Any:
        """Return an id of the template's kind that no other note has."""
        number = 1000 + self._written
        if isinstance(template, str):
            return f"{number:x>65}" if len(template) > len("note-1") else f"note-{number}"
        if isinstance(template, int | float):
            return type(template)(number)
        return ObjectId(f"{int(made.timestamp()):08x}{self._random.getrandbits(64):016x}")

    def _finished(self, document: Document, form: str) -> Document:
        """Return the document with what a form's template cannot say."""
        if document.get("projectId") == "as ObjectId":
            document["projectId"] = ObjectId(self._project_id)
        if "department" in document:
            document["department"] = self._random.choice(DEPARTMENTS)
        if form == LISTS_IN_LISTS:
            nested: Any = [{"text": document["content"]}]
            for _ in range(40):
                nested = [{"type": "ul", "children": nested}]
            document["content"] = nested
        return document


def id_text_of(value: Any) -> str:
    """Return an `_id` as the brain has it: for MongoDB 1 and 1.0 are one number."""
    return str(int(value)) if isinstance(value, float) else str(value)


def stored_form(document: Document) -> Document | RawBSONDocument:
    """Return the document as it is written: some hold bytes that are no text, which no driver would make."""
    encoded = bson.encode(document)
    if _EMOJI_BELL not in encoded:
        return document
    return RawBSONDocument(encoded.replace(_EMOJI_BELL, _CUT_EMOJI), _LENIENT)
