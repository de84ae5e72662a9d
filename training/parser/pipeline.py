"""The spaCy pipeline that is trained: a small convolutional encoder, shared by three taggers."""

import json
from pathlib import Path
import re
from typing import Any

from refdiff_ros.optional import require_package

LANGUAGE, NAME = 'en', 'ewt_expressions'
_CONFIG = """
[nlp]
lang = "en"
pipeline = ["tok2vec", "tagger", "morphologizer", "parser"]

[components]

[components.tok2vec]
factory = "tok2vec"

[components.tok2vec.model]
@architectures = "spacy.HashEmbedCNN.v2"
pretrained_vectors = null
width = {width}
depth = {depth}
embed_size = {embed_size}
window_size = 1
maxout_pieces = 3
subword_features = true

[components.tagger]
factory = "tagger"

[components.tagger.model]
@architectures = "spacy.Tagger.v2"
tok2vec = {listener}

[components.morphologizer]
factory = "morphologizer"

[components.morphologizer.model]
@architectures = "spacy.Tagger.v2"
tok2vec = {listener}

[components.parser]
factory = "parser"

[components.parser.model]
@architectures = "spacy.TransitionBasedParser.v2"
state_type = "parser"
extra_state_tokens = false
hidden_width = {hidden}
maxout_pieces = 2
use_upper = true
tok2vec = {listener}
"""
_LISTENER = '{{"@architectures": "spacy.Tok2VecListener.v1", "width": {width}}}'


def build(width: int = 96, depth: int = 4, embed_size: int = 2000, hidden: int = 64) -> Any:
    """An untrained pipeline.

    Args:
        width, depth, embed_size: of the encoder (HashEmbedCNN).
        hidden: width of the parser's hidden layer.
    """
    spacy = require_package('spacy', 'parser')
    config = require_package('thinc.api', 'parser').Config().from_str(_CONFIG.format(
        width=width, depth=depth, embed_size=embed_size, hidden=hidden,
        listener=_LISTENER.format(width=width)))
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    nlp.meta.update(name=NAME, version='1.0.0', license='CC BY-SA 4.0',
                    spacy_version='>=3.8,<3.9', description='Tags and dependency trees for '
                    'English referring expressions; trained on UD English EWT.')
    return nlp


def save(nlp: Any, folder: Path) -> None:
    """Write a trained pipeline in spaCy's layout, without the words of its training text.

    The list of strings keeps the labels alone: no word is looked up in it, and the treebank's
    sentences, which others wrote, are not passed on.
    """
    nlp.to_disk(folder)
    strip_words(folder, [
        label for name in ('tagger', 'morphologizer', 'parser')
        for label in nlp.get_pipe(name).labels])


def strip_words(folder: Path, labels: list[str]) -> None:
    """Keep in the list of strings of the pipeline in `folder` only `labels` and their parts."""
    strings = folder / 'vocab' / 'strings.json'
    known = set(json.loads(strings.read_text(encoding='utf-8')))
    parts = {part for label in labels
             for part in (label, *label.split('|'), *re.split(r'[|=]', label))}
    # Features of a label without its part of speech are a string of their own.
    features = {'|'.join(part for part in label.split('|') if not part.startswith('POS='))
                for label in labels}
    kept = sorted((parts | features) & known | {'ROOT', 'dep', ''})
    strings.write_text(json.dumps(kept, indent=0) + '\n', encoding='utf-8')
