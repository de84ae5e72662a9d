"""Pictures with what was said of them: from a labelled bag, or from a data set."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, TYPE_CHECKING

import numpy as np

from refdiff_ros.errors import attempt, BadRequestError, error_text, require
from refdiff_ros.evaluation.calibrating.questions import LabelledPicture, Said
from refdiff_ros.evaluation.request import BagRequest, DatasetRequest, TABLETOP
from refdiff_ros.evaluation.run import Sample

if TYPE_CHECKING:
    from refdiff_ros.evaluation.bags.labelled_bag import Labelled


@dataclass(frozen=True)
class Source:
    """Where the pictures come from.

    Attributes:
        said: a picture's name and an expression, for each label that is true of something.
        count: labels.
        pictures: reads them one by one; tells its argument of each that cannot be read.
        data: what a calibration says of it.
    """

    said: Sequence[tuple[str, str]]
    count: int
    pictures: Callable[[Callable[[str], None]], Iterable[LabelledPicture]]
    data: dict[str, Any]


@contextmanager
def from_bag(request: BagRequest) -> Iterator[Source]:
    """The pictures of a labelled bag; with `answers` those alone that were answered online.

    Raises:
        RefDiffError: bag, labels or answers cannot be used.
    """
    from refdiff_ros.evaluation.bags.labelled_bag import checked_labels, labelled_bag
    from refdiff_ros.evaluation.bags.samples import identity
    labels = checked_labels(request, several=True)
    data = {'kind': 'bag', 'name': request.bag.name, 'labels': request.labels.name}
    with labelled_bag(request, labels) as labelled:
        if request.answers is not None:
            labelled = replace(labelled, matched=_answered(labelled, request.answers))
            data['answers'] = request.answers.name
        said = [(identity(picture, '')[1], label.expression)
                for picture, some in labelled.matched.pairs for label in some
                if len(label.masks)]
        yield Source(said, labelled.matched.count, partial(_bag_pictures, labelled), data)


def settings_of(answers: Path) -> dict[str, Any]:
    """The node's parameters in a recording of `refdiff evaluate bag --online`.

    Raises:
        RefDiffError: it is no such recording.
    """
    from refdiff_ros.evaluation.bags.reading import Bag
    from refdiff_ros.evaluation.online.cli import read_settings
    with Bag(answers) as bag:
        return dict(read_settings(bag.custom).get('parameters', {}))


def _answered(labelled: 'Labelled', answers: Path) -> Any:
    """The labels that an online run has answered.

    It asks nothing that is true of several objects: of pictures that it answered such labels are
    taken too, else AMBIGUOUS could not be learned from any recording.
    """
    from refdiff_ros.evaluation.bags.reading import Bag
    from refdiff_ros.evaluation.online.scoring import score
    with Bag(answers) as bag:
        heard = score(bag, labelled.matched)
    seen = {stamp_ns for stamp_ns, _ in heard.answers}
    pairs = tuple((picture, kept) for picture, labels in labelled.matched.pairs if (kept := tuple(
        label for label in labels if (picture.stamp_ns, label.expression) in heard.answers
        or (label.also and picture.stamp_ns in seen))))
    return replace(labelled.matched, pairs=pairs)


def _bag_pictures(
    labelled: 'Labelled', say: Callable[[str], None],
) -> Iterator[LabelledPicture]:
    from refdiff_ros.evaluation.bags.frames import read_frames
    from refdiff_ros.evaluation.bags.samples import identity
    labels_of = {picture.image: labels for picture, labels in labelled.matched.pairs}
    for recorded in read_frames(
            labelled.bag, labelled.index, [picture for picture, _ in labelled.matched.pairs]):
        picture = recorded.picture
        name = identity(picture, '')[1]
        frame, error = attempt(partial(getattr, recorded, 'frame'))
        if frame is None:
            say(f'{name} is left out: {error_text(require(error, "an error"))}')
            continue
        for label in labels_of[picture.image]:
            if label.mask.shape != frame.size_hw:
                raise BadRequestError(
                    f"expected a label of the picture's size {frame.size_hw} (height, width) in "
                    f'line {label.line}, got {label.mask.shape}: it belongs to another picture')
        yield LabelledPicture(name, frame, tuple(
            Said(label.expression, label.masks) for label in labels_of[picture.image]))


def from_dataset(request: DatasetRequest) -> Source:
    """The pictures of a data set, or of the simulated tabletops.

    Raises:
        RefDiffError: no such data set, split or file.
    """
    if request.dataset == TABLETOP:
        from refdiff_ros.evaluation.tabletop.samples import tabletop_samples
        samples = list(tabletop_samples(request.split, request.limit, request.half))
    else:
        from refdiff_ros.evaluation.datasets.catalog import read_samples
        if request.root is None:
            raise BadRequestError(f'expected --root DIR, the folder of {request.dataset}, got '
                                  'none')
        samples = read_samples(
            request.dataset, request.root, request.split, request.images)[:request.limit]
    return Source(
        [(sample.image_id, sample.expression) for sample in samples], len(samples),
        partial(_sample_pictures, samples),
        {'kind': 'data set', 'name': request.dataset, 'split': request.split,
         'half': request.half})


def _sample_pictures(
    samples: Sequence[Sample], say: Callable[[str], None],
) -> Iterator[LabelledPicture]:
    """Samples of one picture together; one that cannot be read is left out.

    An expression that is said of several objects of a picture is true of each.
    """
    for name, group in groupby(samples, lambda sample: sample.image_id):
        frame, masks = None, dict[str, list[np.ndarray]]()
        for sample in group:
            loaded, error = attempt(sample.load)
            if loaded is None:
                say(f'{sample.sample_id} is left out: {error_text(require(error, "an error"))}')
            else:
                frame, mask = loaded
                masks.setdefault(sample.expression, []).append(mask)
        if frame is not None:
            yield LabelledPicture(name, frame, tuple(
                Said(text, _distinct(some)) for text, some in masks.items()))


def _distinct(masks: Sequence[np.ndarray]) -> np.ndarray:
    """(K, H, W), each mask once."""
    kept: list[np.ndarray] = []
    for mask in masks:
        if not any(np.array_equal(mask, other) for other in kept):
            kept.append(mask)
    return np.stack(kept)
