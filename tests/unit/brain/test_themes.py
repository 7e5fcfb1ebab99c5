"""Themes name what a department keeps coming back to and the others do not."""

from hypothesis import given
from hypothesis import strategies as st

from gather_brain.themes import TERMS_PER_NODE_MAX, THEMES_MAX, key_themes, phrases


def test_phrases_have_one_to_three_words_and_cross_no_stop_word() -> None:
    """Such as "noir lighting", and not "lighting of the"."""
    found = phrases("Dark noir lighting of the old harbour")
    assert "dark noir lighting" in found
    assert "old harbour" in found
    assert not any("of" in phrase.split() for phrase in found)


def test_a_theme_is_what_one_department_says_and_the_others_do_not() -> None:
    """What everybody says ("harbour") is no department's own theme."""
    themes = key_themes(
        {
            "story": [
                phrases(f"Redemption at the harbour, redemption {n} times") for n in ("one", "two", "six")
            ],
            "visual": [phrases(f"Noir lighting at the harbour in take {n}") for n in ("one", "two", "six")],
        }
    )
    assert themes["story"][0] == "redemption"
    assert themes["visual"][0] == "noir lighting"


def test_one_node_alone_does_not_make_a_theme_where_there_are_several() -> None:
    """A detail of one note is not what the department is about."""
    nodes = [phrases("salt water"), phrases("salt water"), phrases("purple umbrella")]
    assert "purple umbrella" not in key_themes({"story": nodes})["story"]


def test_themes_do_not_repeat_each_others_words() -> None:
    """Beside "noir lighting", "noir" says nothing more."""
    themes = key_themes({"visual": [phrases("noir lighting, noir shadow, noir") for _ in range(3)]})["visual"]
    assert sum("noir" in theme for theme in themes) == 1


def test_a_department_without_nodes_has_no_themes() -> None:
    """Nothing is made up."""
    assert key_themes({"story": []}) == {"story": []}


@given(st.lists(st.text(max_size=300), max_size=6))
def test_phrases_and_themes_stay_bounded_for_any_text(texts: list[str]) -> None:
    """Callers' texts must not grow what is stored or answered."""
    nodes = [phrases(text) for text in texts]
    assert all(len(terms) <= TERMS_PER_NODE_MAX for terms in nodes)
    assert len(key_themes({"any": nodes})["any"]) <= THEMES_MAX


@given(st.permutations(["salt in the lamp", "salt on the lamp", "rope and salt", "rope and lamp"]))
def test_the_order_of_nodes_does_not_matter(texts: list[str]) -> None:
    """Neo4j promises no order."""
    assert key_themes({"a": [phrases(text) for text in texts]}) == key_themes(
        {"a": [phrases(text) for text in sorted(texts)]}
    )
