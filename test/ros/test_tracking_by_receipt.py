"""An answer carried from frame to frame, in this process: a square that moves over a wall."""

from dataclasses import replace
import time

import numpy as np
from pytest import fixture, mark
from ros_graph import header, wait_for

from refdiff_ros.pictures import mask_flow
from refdiff_ros.pictures.mask_flow import flow_step
from refdiff_ros.results import Frame, ReferringExpression, Scores, Segmentation, Status
from refdiff_ros.ros.answers import Answer, Origin
from refdiff_ros.ros.conversions import image_message
from refdiff_ros.ros.frame_sync import FrameSync
from refdiff_ros.ros.mask_tracker import MaskTracker
from refdiff_ros.ros.parameters import NodeConfig
from refdiff_ros.ros.requests import Standing

SIZE_HW, SIDE, STEP = (120, 160), 40, 3
RNG = np.random.default_rng(0)
WALL = np.kron(RNG.integers(60, 120, (30, 40, 3)), np.ones((4, 4, 1))).astype(np.uint8)
TEXTURE = np.kron(RNG.integers(100, 250, (10, 10, 3)), np.ones((4, 4, 1))).astype(np.uint8)
TEXT = 'the square'


def square(number: int) -> np.ndarray:
    """Its mask in picture `number`."""
    mask = np.zeros(SIZE_HW, bool)
    mask[40:40 + SIDE, 30 + STEP * number:30 + STEP * number + SIDE] = True
    return mask


def picture(number: int) -> np.ndarray:
    pixels = WALL.copy()
    pixels[square(number)] = TEXTURE.reshape(-1, 3)
    return pixels


def answer(number: int, head, received_s: float) -> Answer:
    """A full answer on picture `number`."""
    one = np.ones(1, np.float32)
    found = Segmentation(
        Status.FOUND, '', ReferringExpression(TEXT, 'square', (4, 10)), square(number), 1.0, 1.0,
        0, (), square(number)[None], Scores(one, one, one), None)
    return Answer(Status.FOUND, '', TEXT, header=head, frame=Frame(picture(number)),
                  segmentation=found, received_s=received_s, standing=1)


class Run:
    """A tracker that is fed by hand, and what it published."""

    def __init__(self):
        self.sync, self.carried, self.errors = FrameSync(), [], []
        self.tracker = MaskTracker(
            self.sync, NodeConfig, lambda answer, _: self.carried.append(answer),
            self.errors.append)
        self.tracker.expect(Standing(TEXT, 1))

    def show(self, number: int, seconds: float):
        """A frame of this stamp, which is looked at; its header and when it came."""
        head, now_s = header(), time.monotonic()
        head.stamp.sec, head.stamp.nanosec = divmod(int(seconds * 1e9), 1_000_000_000)
        self.sync.add_image(image_message(picture(number), 'rgb8', head), 0, now_s)
        self.tracker.frame_came()
        wait_for(lambda: self.tracker.looked_at == self.sync.images_received, 60.0)
        return head, now_s


@fixture
def run():
    made = Run()
    yield made
    made.tracker.stop()
    made.tracker.join()
    assert not made.errors


@mark.parametrize('stamps', [
    [10 + k / 10 for k in range(6)], [0] * 6, [77.5] * 6], ids=['true', 'zero', 'fixed'])
def test_the_mask_goes_with_the_square_whatever_the_stamps(run, stamps):
    head, came_s = run.show(0, stamps[0])
    run.tracker.grounded(answer(0, head, came_s))
    for number, stamp in enumerate(stamps[1:], 1):
        run.show(number, stamp)
        wait_for(lambda number=number: len(run.carried) >= number, 60.0)
    last = run.carried[-1]
    assert last.origin is Origin.CARRIED and last.status is Status.FOUND
    truth = square(5)
    overlap = (last.segmentation.mask & truth).sum() / (last.segmentation.mask | truth).sum()
    assert overlap > 0.85
    assert (square(0) & truth).sum() / (square(0) | truth).sum() < 0.5


def test_an_answer_of_before_the_stamps_went_back_is_not_carried(run):
    head, came_s = run.show(0, 100.0)
    run.show(1, 3.0)
    run.show(2, 3.1)
    run.tracker.grounded(answer(0, head, came_s))
    run.show(3, 3.2)
    # A new answer is carried, so the one before had its turn and was not.
    head, came_s = run.show(4, 3.3)
    run.tracker.grounded(answer(4, head, came_s))
    run.show(5, 3.4)
    wait_for(lambda: run.carried, 60.0)
    assert all(found.grounded == head for found in run.carried)


def missing(number: int, head, received_s: float) -> Answer:
    """A full answer that finds nothing."""
    found = answer(number, head, received_s)
    nothing = replace(found.segmentation, status=Status.NOT_FOUND,
                      mask=np.zeros(SIZE_HW, bool), index=-1)
    return replace(found, status=Status.NOT_FOUND, segmentation=nothing)


def test_nothing_is_followed_after_an_answer_that_found_nothing(run, monkeypatch):
    steps = []

    def counted(earlier, later):
        steps.append(1)
        return flow_step(earlier, later)
    monkeypatch.setattr(mask_flow, 'flow_step', counted)
    head, came_s = run.show(0, 10.0)
    run.show(1, 10.1)
    assert len(steps) == 1  # the first answer may find it
    run.tracker.grounded(missing(1, head, came_s))
    head, came_s = run.show(2, 10.2)
    for number in (3, 4):
        run.show(number, 10 + number / 10)
    assert len(steps) == 1
    # Found again, it is carried over all frames that came since.
    run.tracker.grounded(answer(2, head, came_s))
    run.show(5, 10.5)
    wait_for(lambda: run.carried, 60.0)
    assert len(steps) == 4
    last, truth = run.carried[-1], square(5)
    overlap = (last.segmentation.mask & truth).sum() / (last.segmentation.mask | truth).sum()
    assert overlap > 0.85
