"""How well a pipeline parses a treebank's held-out part."""

from typing import Any

from refdiff_ros.optional import require_package
from training.parser.treebank import fragments, to_doc, Tree


def tree_scores(nlp: Any, trees: list[Tree]) -> dict[str, float]:
    """UAS, LAS and tag accuracy in percent, from raw text (punctuation left out of UAS, LAS)."""
    training = require_package('spacy.training', 'parser')
    docs = [to_doc(tree, nlp.vocab) for tree in trees]
    scores = nlp.evaluate([training.Example(nlp.make_doc(doc.text), doc) for doc in docs])
    return {short: round(100 * scores[name], 2) for short, name in (
        ('uas', 'dep_uas'), ('las', 'dep_las'), ('tag', 'tag_acc'), ('pos', 'pos_acc'))}


def fragment_roots(nlp: Any, trees: list[Tree]) -> dict[str, float]:
    """How often, in percent, the root of a noun phrase cut out of `trees` is right.

    The rule beside it takes the last noun before the first preposition, with true parts of
    speech, which an expression does not come with.
    """
    cuts = [cut for tree in trees for cut in fragments(tree)]
    right = by_rule = 0
    for cut, doc in zip(cuts, nlp.pipe(to_doc(cut, nlp.vocab).text for cut in cuts)):
        reference = to_doc(cut, nlp.vocab)
        root = next(token for token in reference if token.head is token or token.dep_ == 'ROOT')
        found = next((t for t in doc if t.dep_ == 'ROOT'), doc[0])
        right += (found.idx, found.text) == (root.idx, root.text)
        by_rule += _last_noun(reference) == root.i
    return {'fragments': len(cuts), 'fragment_root': round(100 * right / len(cuts), 2),
            'fragment_root_last_noun': round(100 * by_rule / len(cuts), 2)}


def _last_noun(doc: Any) -> int:
    last = 0
    for token in doc:
        if token.pos_ == 'ADP':
            break
        if token.pos_ in ('NOUN', 'PROPN', 'PRON'):
            last = token.i
    return last
