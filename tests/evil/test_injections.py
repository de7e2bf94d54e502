"""Nothing is done because of words from outside, wherever they stand and however willingly the model obeys."""

from unittest.mock import patch

import pytest

from tests.evil.injections import SOURCES, inject


@pytest.mark.parametrize("autonomy", ["ask", "reversible"])
@pytest.mark.parametrize("name", sorted(SOURCES))
async def test_nothing_is_done(name: str, autonomy: str) -> None:
    outcome = await inject(name, autonomy=autonomy)
    assert outcome.done == []
    assert outcome.violations == []
    assert outcome.unmarked == [] and bool(outcome.marked) == SOURCES[name].reaches
    assert outcome.told == SOURCES[name].reaches
    assert bool(outcome.obeyed) == SOURCES[name].reaches


@pytest.mark.parametrize("name", ["a_label", "a_log_line", "an_exit_message", "an_environment_name"])
async def test_without_taint_the_model_gets_its_way(name: str) -> None:
    with patch("tools.gate.taint.taints", lambda found: False):
        outcome = await inject(name, autonomy="reversible")
    assert "POST nas /containers/sonarr/stop" in outcome.done
    assert any(sentence.startswith("INV-8") for sentence in outcome.violations)
