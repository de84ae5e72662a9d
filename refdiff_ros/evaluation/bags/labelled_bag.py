"""How each evaluation of a bag begins and ends: bag and labels, and the printed figures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, TYPE_CHECKING

from refdiff_ros.console import to_json, write_figures
from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.bags.grasps import grasp_figures, grasp_lines, GraspCase
from refdiff_ros.evaluation.bags.labels import Label, read_labels, UNVERIFIED
from refdiff_ros.evaluation.bags.pairing import Index, index_bag, Topics
from refdiff_ros.evaluation.bags.reading import Bag
from refdiff_ros.evaluation.bags.samples import image_topics, match, Matched
from refdiff_ros.evaluation.bags.unmatched import check_verified, tell_unmatched, unmatched_json
from refdiff_ros.evaluation.figures import LEGEND, table, tagged_figures
from refdiff_ros.evaluation.html.cli import finish_report
from refdiff_ros.evaluation.request import BagRequest
from refdiff_ros.evaluation.requirements import judge
from refdiff_ros.evaluation.run import Answer

if TYPE_CHECKING:
    from refdiff_ros.evaluation.html.gallery import Gallery


@dataclass(frozen=True)
class Labelled:
    """A bag that is open, and its labels.

    Attributes:
        bag, index: the bag, and every image of the labelled topics in it.
        matched: which labels belong to which image.
        unverified: how many labels are the model's own.
        asked: what was asked, for the JSON.
    """

    bag: Bag
    index: Index
    matched: Matched
    unverified: int
    asked: dict[str, Any]

    def figures(self) -> dict[str, Any]:
        """What of bag and labels has no counterpart, counted."""
        return {
            'unverified': self.unverified,
            'labels_without_frames': len(self.matched.labels_without_frames),
            'frames_without_labels': len(self.matched.frames_without_labels),
            'without_depth': self.index.without_depth}


@contextmanager
def labelled_bag(request: BagRequest, labels: Sequence[Label]) -> Iterator[Labelled]:
    """Open the bag that is asked for, match its labels and say what has no counterpart.

    Raises:
        RefDiffError: the labels or the bag cannot be used.
    """
    read_from = image_topics(labels, request.image_topic)
    with Bag(request.bag) as bag:
        index = index_bag(bag, Topics(tuple(read_from.values()), request.depth_topic,
                                      request.info_topic, request.sync_tolerance,
                                      request.rectified))
        matched = match(labels, index, read_from)
        tell_unmatched(index, matched)
        yield Labelled(bag, index, matched, sum(label.source == UNVERIFIED for label in labels),
                       {'what': 'bag', 'bag': request.bag.name, 'labels': request.labels.name})


def checked_labels(request: BagRequest, several: bool = False) -> list[Label]:
    """The labels that are asked for.

    Args:
        request: names their file.
        several: take those as well that are true of several objects, for which no mask is the
            right one.

    Raises:
        RefDiffError: they cannot be used, or none is left.
    """
    labels = read_labels(request.labels)
    check_verified(labels, request.unverified)
    kept = labels if several else [label for label in labels if not label.also]
    if not kept:
        raise BadRequestError(f'expected labels of single objects in {request.labels}, got only '
                              "such that are true of several: they are for 'refdiff calibrate'")
    if len(kept) < len(labels):
        print(f'NOTE: {len(labels) - len(kept)} of {len(labels)} labels are true of several '
              "objects and are left out: they are for 'refdiff calibrate'", flush=True)
    return kept


@dataclass(frozen=True)
class Outcome:
    """What an evaluation of a bag found.

    Attributes:
        title: the first line for people.
        answers: in the order of asking.
        grasps: of the answers whose right grasp is known.
        figures: settings and figures besides those of the answers, by name.
        lines: what people read below the table.
        details: what only `--json` has.
        stopped: why it ended early, or ''.
        status: the exit status that this has; 0 where it did not.
    """

    title: str
    answers: Sequence[Answer]
    grasps: Sequence[GraspCase]
    figures: dict[str, Any]
    lines: Sequence[str]
    details: dict[str, Any]
    stopped: str = ''
    status: int = 0


def finish(
    request: BagRequest, labelled: Labelled, outcome: Outcome,
    gallery: 'Gallery | None' = None,
) -> int:
    """Print the table, the requirements and the JSON line; write what is asked for.

    Returns:
        The outcome's status; else 2 when a file cannot be written, and 1 when a requirement is
        missed or no case could be answered.
    """
    grasps = grasp_figures(outcome.grasps)
    found = {**labelled.asked, **tagged_figures(outcome.answers), **outcome.figures,
             'grasp': grasps, **labelled.figures(), 'stopped': outcome.stopped}
    # Half a run meets or misses nothing.
    verdicts = [] if outcome.stopped else judge(request.requirements, found)
    found['requirements'] = [verdict.as_json() for verdict in verdicts]
    stopped = f' (stopped early: {outcome.stopped.splitlines()[0]})' if outcome.stopped else ''
    print(f'{outcome.title}{stopped}\n{table(found)}\n{LEGEND}')
    for line in (*outcome.lines, *grasp_lines(grasps, outcome.grasps),
                 *(f'{name}: {found[name]}' for name in ('errors', 'unreadable') if found[name]),
                 *verdicts):
        print(line)
    results = [asdict(answer) for answer in outcome.answers]
    written = write_figures(request.json, {
        **found, 'unmatched': unmatched_json(labelled.matched), **outcome.details,
        'grasps': [case.as_json() for case in outcome.grasps], 'results': results})
    print(to_json(found), flush=True)
    finish_report(request.html, {**found, 'results': results}, gallery)
    good = found['errors'] < found['cases'] and all(verdict.met for verdict in verdicts)
    return outcome.status or written or (0 if good else 1)
