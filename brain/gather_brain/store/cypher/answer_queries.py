"""Answers with many nodes: how long they are is known before any of them leaves Neo4j, and they come as one
record.
"""

from typing import Final

ROWS: Final = "rows"
"""The one column of a query that collects what it found. The asynchronous driver waits for each record four
times, with a task for each wait: a page of 500 records took 115 ms of the brain's processor, as one record of
500 maps 31."""

LENGTH: Final = """
  reduce(length = 0, each IN found |
    CASE WHEN length > $lengthMax THEN length
         ELSE length + coalesce(size(each.n.content) + size(each.n.properties), 0) END) AS length
"""
"""How many characters the texts and properties of `found`, maps with a node `n`, have together.

Counting stops above `$lengthMax`: a text has to be read to be counted, and 400 nodes of 256,000 characters
took 4 s. A node that was deleted meanwhile has no length.
"""

UNLESS_TOO_LONG: Final = (
    """
WITH found,
"""
    + LENGTH
    + """
UNWIND CASE WHEN length > $lengthMax THEN [null] ELSE found END AS each
"""
)
"""Goes on from `found` with one `each` for each of them, and one null for all if they are longer than
`$lengthMax` together."""
