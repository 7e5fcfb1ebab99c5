"""The demo model answers the brain's real request for themes, without knowing it."""

import httpx
import numpy as np

from gather_brain.context.settings import ThemeSettings
from gather_brain.context.theme_llm import ThemeLlm
from gather_brain.themes.phrases import phrases
from gather_brain.themes.profiles import Sample, profile_of
from gather_brain.themes.refinement import messages, themes_in
from gather_demo.llm.chat_api import build_app
from gather_demo.llm.material import read_material
from gather_demo.seed.project import read_project


async def test_themes_are_chosen_from_the_phrases_of_the_prompt() -> None:
    """So that a demo without a language model shows where refined themes would stand."""
    contents = [note.text for note in read_project().notes if note.department in {"story", None}]
    profile = profile_of(Sample([phrases(content) for content in contents], np.zeros((0,), np.float32)))
    settings = ThemeSettings(base_url="http://demo/v1", model="openai/gpt-4o-mini")
    model = ThemeLlm(settings, httpx.ASGITransport(build_app(read_material())))
    themes = themes_in(await model.ask(messages("story", profile, contents)))
    await model.close()
    assert set(themes) <= set(profile.counts.uses)
    assert "spring tide" in themes
    words = [word for theme in themes for word in theme.split()]
    assert len(words) == len(set(words))
