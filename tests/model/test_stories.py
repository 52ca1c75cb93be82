"""Stories that hypothesis makes up about the publishing engine: none breaks anything, and one that does is short."""

import pytest

from tests.model.parallel import Simulated


@pytest.mark.timeout(300)  # seconds of CPU time turn into minutes on a machine with other work
def test_no_story_breaks_anything(simulated: Simulated) -> None:
    assert simulated.story(stories=100) is None


@pytest.mark.timeout(300)
def test_what_a_planted_bug_breaks_is_told_in_a_few_sentences(simulated: Simulated) -> None:
    told = simulated.story(stories=200, bug="an intent ends the doubt")

    assert told is not None
    *sentences, broken = told.splitlines()
    assert broken.startswith("I9: no doubt any more, but it is public")
    assert 2 <= len(sentences) <= 6, told
