"""Shapes of notes out of public bug reports about the editors and drivers that the application uses.

Each names the report that describes it; the words are ours. As in `application_documents`, `COUNTS` and its
three parts mark what must be read.
"""

import json
from typing import Any, Final

from tests.support.application_documents import COUNTS, Document, lexical

BYTES_THAT_ARE_NO_TEXT: Final = "\ufffd\x07"
"""Written as bytes that are no UTF-8, and read as the sign for such; `film_notes.stored_form` does that."""


def _text(words: str) -> Document:
    return {"type": "text", "version": 1, "text": words, "format": 0, "detail": 0, "mode": "normal"}


def _paragraph(*children: Any) -> Document:
    return {"type": "paragraph", "version": 1, "direction": None, "format": "", "children": list(children)}


REPORTED: Final[dict[str, tuple[Document, str]]] = {
    # payloadcms/payload 13202: pasted lists have nodes without a type between item and text.
    "Slate, pasted list": ({"content": [
        {"type": "ul", "children": [
            {"type": "li", "children": [
                {"children": [{"text": "Marta counts "}, {"text": "every", "bold": True},
                              {"text": " stroke."}]},
            ]},
        ]},
    ]}, COUNTS),
    # The same report: the migration to Lexical made text nodes of them, without a text and with children.
    "Lexical, migrated list": ({"content": lexical({
        "type": "list", "listType": "bullet", "tag": "ul", "children": [
            {"type": "listitem", "value": 1, "children": [
                {"type": "text", "version": 1, "children": [{"text": COUNTS}]},
            ]},
        ],
    })}, COUNTS),
    # payloadcms/payload 9561: null among the nodes, and fields of nodes that are null.
    "Lexical with null": ({"content": lexical(
        None, {**_paragraph(None, _text(COUNTS), None), "format": None, "indent": None},  # type: ignore[arg-type]
    )}, COUNTS),
    # payloadcms/payload 6454 and 4780: a localised field holds one tree for each language.
    "Lexical, localised": ({"content": {
        "en": lexical(_paragraph(_text(COUNTS))),
        "uk": lexical(_paragraph(_text("Марта рахує удари."))), "de": None,
    }}, COUNTS),
    # payloadcms/payload 13924: spaces that nobody wrote came to stand around links.
    "Lexical, link": ({"content": lexical(_paragraph(
        _text("Marta counts every "),
        {"type": "autolink", "fields": {"url": "https://example.org/t"}, "children": [_text("stroke")]},
        _text("."),
    ))}, COUNTS),
    # facebook/lexical 4564: spaces that must not be drawn together.
    "Lexical, wide spaces": ({"content": lexical(_paragraph(_text("1\u3000\u30002   3 " + COUNTS)))},
        "1\u3000\u30002   3 " + COUNTS),
    # editor-js/list 1: items are texts or lists, each in an object.
    "Editor.js, first nested list": ({"content": {"blocks": [
        {"type": "list", "data": {"style": "unordered", "items": [
            {"type": "string", "value": "The pump."},
            {"type": "list", "data": {"style": "ordered", "items": [{"type": "string", "value": COUNTS}]}},
        ]}},
    ]}}, COUNTS),
    # editor-js/list 107 and 118: the second form, with `content`, `meta` and `items`.
    "Editor.js, second nested list": ({"content": {"time": 1732139542891, "version": "2.30.7", "blocks": [
        {"id": "K_vfMwePP7", "type": "list", "data": {"style": "checklist", "meta": {}, "items": [
            {"content": "The pump.", "meta": {"checked": True}, "items": [
                {"content": COUNTS, "meta": {"checked": False}, "items": []},
            ]},
        ]}},
        {"id": "KpO-FcU0eM", "type": "paragraph", "data": {"text": ""}},
    ]}}, COUNTS),
    # Strapi 4 keeps an entry's fields below `attributes`.
    "Strapi entry": ({"content": json.dumps({"data": {"id": 7, "attributes": {
        "title": "The pump", "body": COUNTS, "createdAt": "2026-01-05T09:30:00.000Z",
    }}})}, COUNTS),
    # facebook/lexical 6392: what browsers put into the clipboard begins with a mark, or with any tag.
    "HTML out of a clipboard": ({
        "content": f"<meta charset='utf-8'><!--StartFragment--><table><tr><td>{COUNTS}</td></tr></table>"
    }, COUNTS),
    # mongodb/js-bson 277: the sign for bytes that are no text, written as a character.
    "replacement character": ({"content": f"The p\ufffdmp. {COUNTS}"}, f"The p\ufffdmp. {COUNTS}"),
    # mongodb-js/bson-ext 60, huggingface/chat-ui 2364: a text cut within an emoji, stored by a driver
    # that does not look. The text index refuses it in `content`.
    "bytes that are no text": (
        {"content": "", "extractedText": f"{COUNTS} {BYTES_THAT_ARE_NO_TEXT}"}, f"{COUNTS} \ufffd"
    ),
    # The same within JSON, where half an emoji is an escape that every parser takes.
    "JSON cut within an emoji": ({"content": '{"note": "' + COUNTS + ' \\ud83d"}'}, COUNTS),
    # Automattic/mongoose 10294: fields without a value become null.
    "null for what is not given": ({
        "content": COUNTS, "summary": None, "context": None, "imageUrl": None, "documentUrl": None,
        "extractedText": None, "isAutomated": None, "automationMetadata": None, "lastUpdated": None,
        "locked": None, "canon": None,
    }, COUNTS),
}  # fmt: skip

REPORTED_UNREADABLE: Final[dict[str, tuple[Document, str]]] = {
    # payloadcms/payload 12633: a field that was written in and emptied keeps a tree with an empty paragraph.
    "Lexical, emptied": ({"content": lexical({**_paragraph(), "textStyle": "", "textFormat": 0})}, "no text"),
    # facebook/lexical 473: characters without width, where nobody has written yet.
    "zero-width characters": ({"content": lexical(_paragraph(_text("\u200b")))}, "no text"),
    # payloadcms/payload 1604: an editor that nobody wrote in.
    "Slate, never written": ({"content": [{"children": [{"text": ""}]}]}, "no text"),
}  # fmt: skip
