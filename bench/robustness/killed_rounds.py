"""Evaluations that are killed one to three times each and must end with the unbroken figures."""

from collections.abc import Sequence
from pathlib import Path
import random
import tempfile
import time

from phrase_run import Commands, PhraseRun, PICTURES
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
        commands = Commands(data)

        def run_in(name: str, *more: str) -> PhraseRun:
            return PhraseRun(data, Path(folder, name), more, commands)
        # One process gives what is right, for Ray's workers too.
        right = run_in('unbroken').finish()
        began_s = time.monotonic()
        run_in('timed', *more).finish()
        each_s = time.monotonic() - began_s
        while len(kills) < ROUNDS and effort.left_s > 3 * each_s:
            run = run_in(f'run{len(kills)}', *more)
            kills.append(sum(run.kill_once(rng, each_s) for _ in range(rng.randrange(1, 3))))
            try:
                equal += run.finish() == right
            except AssertionError as error:
                faults.append(str(error)[-500:])
            print(f'round {len(kills)}: killed {kills[-1]} times, {equal} equal', flush=True)
        commands.close()
    return Outcome(
        f'{equal} of {len(kills)} equal, {sum(kills)} kills', bool(kills) and equal == len(kills),
        {'kills': kills, 'faults': faults, 'seconds_of_a_run': each_s})
