"""Evaluations that are killed one to three times each and must end with the unbroken figures."""

from collections.abc import Sequence
from pathlib import Path
import random
import tempfile
import time

from phrase_run import PhraseRun, PICTURES
from row import Effort, Outcome

ROUNDS = 20


def killed_rounds(effort: Effort, more: Sequence[str] = ()) -> Outcome:
    """Up to 20 runs.

    Args:
        effort: for all of them.
        more: arguments of the evaluation: one process, or Ray's workers.
    """
    from phrase_files import write_phrases

    rng = random.Random(effort.seed)
    equal, kills, faults = 0, [], []
    with tempfile.TemporaryDirectory() as folder:
        data = write_phrases(Path(folder, 'data'), PICTURES)
        # One process gives what is right, for Ray's workers too.
        right = PhraseRun(data, Path(folder, 'unbroken')).finish()
        began_s = time.monotonic()
        PhraseRun(data, Path(folder, 'timed'), more).finish()
        each_s = time.monotonic() - began_s
        while len(kills) < ROUNDS and effort.left_s > 3 * each_s:
            run = PhraseRun(data, Path(folder, f'run{len(kills)}'), more)
            kills.append(sum(run.kill_once(rng, each_s) for _ in range(rng.randrange(1, 3))))
            try:
                found = run.finish()
                equal += found == right
            except AssertionError as error:
                faults.append(str(error)[-500:])
            print(f'round {len(kills)}: killed {kills[-1]} times, {equal} equal', flush=True)
    return Outcome(
        f'{equal} of {len(kills)} equal, {sum(kills)} kills', bool(kills) and equal == len(kills),
        {'kills': kills, 'faults': faults, 'seconds_of_a_run': each_s})
