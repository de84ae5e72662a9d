"""Tokenizers without threads of their own."""

import os

from refdiff_ros.engine import Engine
from refdiff_ros.presets import get_preset


def test_an_engine_asks_for_it_and_the_environment_may_say_otherwise(models, monkeypatch):
    monkeypatch.delenv('TOKENIZERS_PARALLELISM', raising=False)
    Engine(models, get_preset('onboard'))
    assert os.environ['TOKENIZERS_PARALLELISM'] == 'false'
    monkeypatch.setenv('TOKENIZERS_PARALLELISM', 'true')
    Engine(models, get_preset('onboard'))
    assert os.environ['TOKENIZERS_PARALLELISM'] == 'true'
