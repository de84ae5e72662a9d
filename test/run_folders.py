"""Run folders without models, for what reads them."""

from dataclasses import asdict, replace

from refdiff_ros.evaluation.run import Answer
from refdiff_ros.evaluation.runs.folder import RunFolder
from refdiff_ros.evaluation.runs.record import RunQuestion
from refdiff_ros.presets import ONBOARD

QUESTION = RunQuestion(
    dataset='refcoco', split='val', half='all', limit=None, samples=3, samples_sha256='ab',
    bundle='some', trained=True, weights_sha256='cd' * 32, preset='onboard', overrides={},
    values=asdict(ONBOARD), mode='full', seed=0, device='cpu', dtype='float32')


def answer(name, **changes):
    """An answer to the sample `name`; its IoU is that of its counts unless it is given."""
    values = {'sample_id': name, 'image_id': 'p', 'expression': f'the {name}', 'status': 'FOUND',
              'intersection': 1, 'union': 3, 'seconds': 0.1 + 0.2,
              'tags': {'kind': 'plain'}} | changes
    values.setdefault('iou', values['intersection'] / max(values['union'], 1))
    return Answer(**values)


def keep(path, *answers, **changes):
    """Write a run of `answers`, finished unless `samples` says otherwise."""
    question = replace(QUESTION, **({'samples': len(answers)} | changes))
    command = f'refdiff evaluate dataset {question.dataset} --split {question.split}'
    with RunFolder(path, question, command) as run:
        for each in answers:
            run.add(each)
    return path
