"""Answers with many nodes: how long they are is known before any of them leaves Neo4j."""

from typing import Final

UNLESS_TOO_LONG: Final = """
WITH found, reduce(length = 0, each IN found |
  CASE WHEN length > $lengthMax THEN length
       ELSE length + coalesce(size(each.n.content) + size(each.n.properties), 0) END) AS length
UNWIND CASE WHEN length > $lengthMax THEN [null] ELSE found END AS each
"""
"""Goes on from `found`, maps with a node `n`, with one `each` for each of them, and one null for all if their
texts and properties are more than `$lengthMax` characters together.

It stops counting there: a text has to be read to be counted, and 400 nodes of 256,000 characters took 4 s.
A node that was deleted meanwhile has no length.
"""
