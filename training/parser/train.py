"""Train the parser: `python -m training.parser.train --treebank FOLDER --out FOLDER`.

The treebank's folder holds `*-train.conllu`, `*-dev.conllu` and `*-test.conllu` of Universal
Dependencies. A run that was stopped goes on from its last checkpoint when the same command is
given again. Training sees no referring expression: sentences and noun phrases of the treebank
are all there is.
"""

import argparse
from collections.abc import Iterator
import json
import logging
from pathlib import Path
import random
import time
from typing import Any

from refdiff_ros.optional import require_package
from training.parser import checkpoint
from training.parser.measure import fragment_roots, tree_scores
from training.parser.pipeline import build, save
from training.parser.treebank import part, read_trees, to_doc, training_trees, Tree

_LOG = logging.getLogger('training.parser')


def main(arguments: list[str] | None = None) -> None:
    """Train, measure on the treebank's test part, and write the pipeline to `--out`/model."""
    options = _options(arguments)
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    if options.device == 'gpu':
        require_package('spacy', 'parser').require_gpu()
    options.out.mkdir(parents=True, exist_ok=True)
    train_trees = training_trees(list(read_trees(part(options.treebank, 'train'))))
    dev = list(read_trees(part(options.treebank, 'dev')))
    nlp, seconds = train(train_trees, dev, options)
    test = list(read_trees(part(options.treebank, 'test')))
    figures = {**tree_scores(nlp, test), **fragment_roots(nlp, test), 'steps': options.steps,
               'examples': len(train_trees), 'seed': options.seed, 'seconds': round(seconds)}
    save(nlp, options.out / 'model')
    (options.out / 'figures.json').write_text(json.dumps(figures, indent=1) + '\n')
    print(json.dumps(figures))


def train(trees: list[Tree], dev: list[Tree], options: argparse.Namespace) -> tuple[Any, float]:
    """The pipeline after `options.steps` steps, with averaged weights, and the seconds taken."""
    thinc = require_package('thinc.api', 'parser')
    training = require_package('spacy.training', 'parser')
    thinc.fix_random_seed(options.seed)
    nlp = build(options.width, options.depth, options.embed_size, options.hidden)

    def example(tree: Tree) -> Any:
        doc = to_doc(tree, nlp.vocab)
        return training.Example(nlp.make_doc(doc.text), doc)

    # All labels are read, so that a rare one is known too.
    examples = [example(tree) for tree in trees]
    nlp.initialize(lambda: examples)
    optimizer = thinc.Adam(options.rate, beta1=0.9, beta2=0.999, L2=0.01, grad_clip=1.0,
                           use_averages=True, L2_is_weight_decay=True)
    done = checkpoint.restore(options.out, nlp, optimizer)
    _LOG.info('%d examples, step %d of %d', len(examples), done, options.steps)
    losses: dict[str, float] = {}
    start = time.monotonic()
    for step, batch in _batches(examples, options.words, options.seed, options.steps, done):
        if step % options.every == 0 and step > done or step == done:
            # A run that goes on draws the dropout that the unbroken run would have drawn.
            thinc.fix_random_seed(options.seed + step)
        optimizer.learn_rate = options.rate * _schedule(step, options.steps, options.warm_up)
        # Left to itself, `update` applies the encoder's gradient one step late, and a checkpoint
        # between the two would lose it.
        nlp.update(batch, sgd=False, drop=options.dropout, losses=losses)
        for _, pipe in nlp.pipeline:
            pipe.finish_update(optimizer)
        if (step + 1) % options.every == 0 or step + 1 == options.steps:
            checkpoint.save(options.out, nlp, optimizer, step + 1)
            with nlp.use_params(optimizer.averages):
                scores = tree_scores(nlp, dev[:500])
            curve = {'step': step + 1, 'seconds': round(time.monotonic() - start), **scores,
                     **{f'loss_{name}': round(float(value), 1) for name, value in losses.items()}}
            losses.clear()
            _LOG.info('%s', curve)
            with (options.out / 'curve.jsonl').open('a') as stream:
                stream.write(json.dumps(curve) + '\n')
    _use_averages(nlp, optimizer)
    return nlp, time.monotonic() - start


def _use_averages(nlp: Any, optimizer: Any) -> None:
    for _, pipe in nlp.pipeline:
        for node in pipe.model.walk():
            for name in node.param_names:
                value = (optimizer.averages or {}).get((node.id, name))
                if value is not None:
                    node.set_param(name, value)


def _schedule(step: int, steps: int, warm_up: int) -> float:
    if step < warm_up:
        return (step + 1) / warm_up
    return max(0.02, (steps - step) / max(1, steps - warm_up))


def _batches(
    examples: list[Any], words: int, seed: int, steps: int, done: int,
) -> Iterator[tuple[int, list[Any]]]:
    """Batches of about `words` words; the order depends on the seed and the round alone."""
    step = epoch = 0
    while True:
        order = list(range(len(examples)))
        random.Random(f'{seed}-{epoch}').shuffle(order)
        batch, size = [], 0
        for row in order:
            batch.append(examples[row])
            size += len(examples[row].reference)
            if size >= words:
                if step >= steps:
                    return
                if step >= done:
                    yield step, batch
                batch, size, step = [], 0, step + 1
        epoch += 1


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='python -m training.parser.train')
    parser.add_argument('--treebank', type=Path, required=True)
    parser.add_argument('--out', type=Path, required=True, help='checkpoints, curve and model')
    parser.add_argument('--device', choices=('cpu', 'gpu'), default='cpu')
    for name, value in (('steps', 7000), ('words', 800), ('every', 500), ('warm-up', 250),
                        ('seed', 0), ('width', 96), ('depth', 4), ('embed-size', 2000),
                        ('hidden', 64)):
        parser.add_argument(f'--{name}', type=int, default=value)
    parser.add_argument('--rate', type=float, default=0.002)
    parser.add_argument('--dropout', type=float, default=0.1)
    return parser.parse_args(arguments)


if __name__ == '__main__':
    main()
