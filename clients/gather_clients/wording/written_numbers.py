"""Numbers in digits of any script and in words, each brought into one form; pure."""

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Final

from gather_clients.wording.word_kinds import Kind, Word
from gather_clients.wording.word_tables import Compounds, NumberWords, compounds, number_words, units

DIGITS_MAX: Final = 30
"""A longer number is a code, and compared as it is written."""
NUMBER_WORDS_MAX: Final = 12
THOUSAND: Final = 1000
"""From which on a number word ends its part: "two hundred thousand and five"."""
HUNDRED: Final = 100
GROUP_DIGITS: Final = 3
SEPARATORS: Final = frozenset(".,'٫٬")  # noqa: RUF001 - Arabic ones are meant
TENS: Final = range(20, 100, 10)
TEENS_AFTER: Final = frozenset({60, 80})
"""French says sixty-ten for seventy."""
COMPOUND_CHARS_MIN: Final = 7
NUMERALS: Final = "〇一二三四五六七八九十百千万萬两兩"
TEN: Final = 10
WORDS_KEPT: Final = 4096


def with_numbers(written: Sequence[Word], language: str | None) -> Iterator[Word]:
    """Yield the words with each number in one form: "two hundred and five" and "205" are the same."""
    known = number_words(language)
    words = [word for at, word in enumerate(written) if not _is_within_number(written, at, known)]
    place = 0
    while place < len(words):
        word = words[place]
        if word.kind is Kind.NUMBER:
            value, place = _number_at(words, place, known)
            yield Word(value, Kind.NUMBER)
            if place < len(words) and words[place].key in units():
                yield Word(f"unit {units()[words[place].key]}", Kind.UNIT)
                place += 1
            continue
        if word.kind is Kind.UNIT:
            word = Word(f"unit {units().get(word.key, word.key)}", Kind.UNIT)
        elif word.kind is Kind.WEAK_NUMBER and word.key in known.weak:
            word = Word(f"#{known.weak[word.key]}", Kind.WEAK_NUMBER)
        yield word
        place += 1


def _number_at(words: Sequence[Word], place: int, known: NumberWords) -> tuple[str, int]:
    """Return the number that begins at a place, and the place after it."""
    value = _value(words[place].key, known)
    end = place + 1
    if value is None:
        return f"#{words[place].key}", end
    total, part = Fraction(0), value
    for before, word in itertools.pairwise(words[place : place + NUMBER_WORDS_MAX]):
        if word.key in known.scales:
            total, part = _scaled(total, part, known.scales[word.key])
        elif word.key in known.all and _goes_on(before.key, known.all[word.key], known):
            part += known.all[word.key]
        else:
            break
        end += 1
    return f"#{total + part}", end


def _scaled(total: Fraction, part: Fraction, scale: Fraction) -> tuple[Fraction, Fraction]:
    """Return what is counted so far, and what goes on, after a word such as "hundred"."""
    part = part * scale if part < scale else part + scale
    return (total + part, Fraction(0)) if scale >= THOUSAND else (total, part)


def _goes_on(before: str, value: Fraction, known: NumberWords) -> bool:
    """Return whether a number word after another one is a part of it: "twenty one", "hundred five"."""
    if before in known.scales:
        return True
    last = known.all.get(before)
    if last is None:
        return False
    is_hundreds = last >= HUNDRED and last % HUNDRED == 0 and value < HUNDRED
    return is_hundreds or (last in TENS and (value < TENS.step or last in TEENS_AFTER))


def _is_within_number(words: Sequence[Word], at: int, known: NumberWords) -> bool:
    """Return whether a word is the "and" of "two hundred and five", or of "treinta y dos"."""
    if not 0 < at < len(words) - 1 or words[at].key not in known.joiners:
        return False
    before, after = words[at - 1].key, words[at + 1].key
    if words[at].key == "and":
        return before in known.scales and after in known.values
    return after in known.all and _goes_on(before, known.all[after], known)


@lru_cache(maxsize=WORDS_KEPT)
def compound_value(word: str) -> Fraction | None:
    """Return what a word is worth that consists of number words, such as "einundzwanzig"; else None."""
    if len(word) < COMPOUND_CHARS_MIN:
        return None
    for each in compounds():
        parts = each.parts.findall(word)
        if len(parts) > 1 and "".join(parts) == word and each.values[parts[-1]]:
            return _sum_of(parts, each)
    return None


def _sum_of(parts: Sequence[str], known: Compounds) -> Fraction:
    total = part = Fraction(0)
    for each in parts:
        if each in known.scales:
            total, part = _scaled(total, part or Fraction(1), known.values[each])
        else:
            part += known.values[each]
    return total + part


def written_value(written: str, language: str | None = None) -> Fraction | None:
    """Return what a number in digits, a sign or a word is worth; None for what is a code, such as a time.

    Separators before three digits each, as in "1,000" and "1.000.000", part thousands; else the last one is
    the decimal sign.
    """
    return _value(written, number_words(language))


def _value(written: str, known: NumberWords) -> Fraction | None:
    for table in (known.values, known.scales):
        if written in table:
            return table[written]
    if written[0] in NUMERALS:
        return _numeral_value(written)
    if not any(char.isdecimal() for char in written):
        return compound_value(written)
    digits = "".join(str(unicodedata.decimal(char, char)) for char in written)
    parts, separators = re.split(r"\D", digits.lstrip("+-")), re.findall(r"\D", digits.lstrip("+-"))
    if len(digits) > DIGITS_MAX or not set(separators) <= SEPARATORS:
        return None
    decimals = ""
    if separators and not _is_grouped(parts, separators):
        if separators[-1] in separators[:-1] or len(set(separators[:-1])) > 1:
            return None
        decimals = parts.pop()
    value = Fraction(int("".join(parts) + decimals), 10 ** len(decimals))
    return -value if digits.startswith("-") else value


def _numeral_value(written: str) -> Fraction:
    """Return what Chinese numerals are worth: "二十五" is 25, and so is "二五"."""
    total = part = digit = Fraction(0)
    for each in (Fraction(unicodedata.numeric(sign, 2)) for sign in written):
        if each < TEN:
            digit = digit * TEN + each
        elif each > THOUSAND:
            total, part, digit = total + (part + digit or 1) * each, Fraction(0), Fraction(0)
        else:
            part, digit = part + (digit or 1) * each, Fraction(0)
    return total + part + digit


def _is_grouped(parts: Sequence[str], separators: Sequence[str]) -> bool:
    is_even = all(len(part) == GROUP_DIGITS for part in parts[1:])
    return is_even and len(set(separators)) == 1 and 0 < len(parts[0].lstrip("0")) <= GROUP_DIGITS
