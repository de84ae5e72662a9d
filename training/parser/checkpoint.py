"""Checkpoints of a training run: weights, the optimiser's state and the step."""

import json
from pathlib import Path
import shutil
from typing import Any

import numpy as np

_STATE, _MOMENTS, _WEIGHTS = 'state.json', 'optimizer.npz', 'weights'
_KINDS = ('mom1', 'mom2', 'averages')


def save(folder: Path, nlp: Any, optimizer: Any, step: int) -> None:
    """Write `folder/checkpoint`, which replaces the one before only when it is complete."""
    new, final = folder / 'checkpoint.new', folder / 'checkpoint'
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    nlp.to_disk(new / _WEIGHTS)
    arrays, updates = {}, {}
    for name, key in _parameter_keys(nlp).items():
        for kind in _KINDS:
            value = (getattr(optimizer, kind) or {}).get(key)
            if value is not None:
                arrays[f'{kind}/{name}'] = np.asarray(value)
        updates[name] = optimizer.nr_update.get(key, 0)
    np.savez(new / _MOMENTS, **arrays)
    (new / _STATE).write_text(json.dumps({'step': step, 'updates': updates}))
    shutil.rmtree(final, ignore_errors=True)
    new.rename(final)


def restore(folder: Path, nlp: Any, optimizer: Any) -> int:
    """Load `folder/checkpoint` into an initialised pipeline; 0 when there is none.

    Returns:
        The number of steps done.
    """
    place = folder / 'checkpoint'
    if not (place / _STATE).is_file():
        return 0
    # The vocabulary stays: documents that were made with it hold its words' attributes.
    nlp.from_disk(place / _WEIGHTS, exclude=['vocab', 'tokenizer'])
    state = json.loads((place / _STATE).read_text())
    with np.load(place / _MOMENTS) as arrays:
        for name, key in _parameter_keys(nlp).items():
            for kind in _KINDS:
                if f'{kind}/{name}' in arrays:
                    getattr(optimizer, kind)[key] = arrays[f'{kind}/{name}']
            if name in state['updates']:
                optimizer.nr_update[key] = state['updates'][name]
    return state['step']


def _parameter_keys(nlp: Any) -> dict[str, tuple[int, str]]:
    """The optimiser's key of each parameter, by a name that holds from run to run."""
    keys = {}
    for pipe_name, pipe in nlp.pipeline:
        for row, node in enumerate(pipe.model.walk()):
            for parameter in node.param_names:
                if node.has_param(parameter):
                    keys[f'{pipe_name}.{row}.{parameter}'] = (node.id, parameter)
    return keys
