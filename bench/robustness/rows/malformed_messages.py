"""Malformed messages of every kind on every input, a valid question after each few."""

import array
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
import random
from typing import Any

from row import Effort, Outcome, Row

MESSAGES, BETWEEN = 20_000, 25
# Memory is compared from the middle of each half on: before, caches fill, and pictures of up to 64
# megapixels, which a flipped byte of a header makes, leave the heap larger than they found it.
_WARM = 0.5
# Of the medians that are compared.
_SHARE = 0.1
_ENCODINGS = ('rgb8', 'bgr8', 'rgba8', 'mono8', 'mono16', '16UC1', '32FC1', 'bayer_rggb8',
              'bayer_gbrg16', 'yuv422', 'yuv422_yuy2', 'nv12', 'nonsense', '', 'rgb8\0', 'ü' * 50)
_SIZES = (0, 1, 2, 3, 95, 96, 128, 4096, 2**16, 2**31, 2**32 - 1)
_TEXTS = ('', ' ', '\t', 'the', '...', 'left', 'x' * 10_000, 'the red box ' * 500, '\0', '🟥',
          'the red\x07box', '‮xob der eht', '"; drop table', '<|endoftext|>', 'a\u0301' * 200,
          '../../etc/passwd', '%s%n', '{"a": 1}', 'не', '红')
_NUMBERS = (0.0, -1.0, 1e-300, 1e300, float('nan'), float('inf'), float('-inf'))


def _bytes(rng: random.Random, most: int = 60_000) -> array.array:
    return array.array('B', rng.randbytes(rng.choice((0, 1, 7, 100, most))))


def an_image(rng: random.Random) -> Any:
    """An image whose size, step, encoding and data do not fit each other."""
    from ros_graph import header, image
    from sensor_msgs.msg import Image

    if rng.random() < 0.3:  # one thing wrong
        msg = image()
        field = rng.choice(('height', 'width', 'step', 'encoding', 'data', 'is_bigendian'))
        setattr(msg, field, {
            'encoding': rng.choice(_ENCODINGS[1:]), 'data': msg.data[:rng.randrange(30_000)],
            'is_bigendian': 200}.get(field, rng.choice(_SIZES)))
        return msg
    return Image(header=header(), encoding=rng.choice(_ENCODINGS), height=rng.choice(_SIZES),
                 width=rng.choice(_SIZES), step=rng.choice(_SIZES),
                 is_bigendian=rng.randrange(256), data=_bytes(rng))


def a_compressed_image(rng: random.Random) -> Any:
    """Half a JPEG, a PNG with a flipped byte, another format's name, or rubbish."""
    import cv2
    from ros_graph import header, picture
    from sensor_msgs.msg import CompressedImage

    kind = rng.choice(('jpeg', 'png'))
    data = bytearray(cv2.imencode(f'.{kind}', picture())[1].tobytes())
    what = rng.randrange(4)
    if what == 0:
        data = data[:rng.randrange(len(data))]
    elif what == 1:
        for _ in range(rng.randrange(1, 20)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif what == 2:
        data = bytearray(_bytes(rng))
    form = rng.choice((kind, 'jpeg', 'png', '', 'webp', 'bayer_rggb8; jpeg compressed', '\0'))
    return CompressedImage(header=header(), format=form, data=bytes(data))


def a_camera_info(rng: random.Random) -> Any:
    """Intrinsics that no camera has."""
    from ros_graph import camera_info

    msg = camera_info()
    for _ in range(rng.randrange(1, 4)):
        field = rng.choice(('k', 'p', 'd', 'height', 'width', 'distortion_model', 'binning_x'))
        setattr(msg, field, {
            'k': [rng.choice(_NUMBERS) for _ in range(9)],
            'p': [rng.choice(_NUMBERS) for _ in range(12)],
            'd': [rng.choice(_NUMBERS) for _ in range(rng.randrange(20))],
            'distortion_model': rng.choice(('', 'equidistant', 'nonsense', 'x' * 5000)),
        }.get(field, rng.choice(_SIZES)))
    return msg


def a_text(rng: random.Random) -> str:
    """What is no expression, or an odd one."""
    if rng.random() < 0.5:
        return rng.choice(_TEXTS)
    return ''.join(chr(rng.choice((rng.randrange(1, 0xD800), rng.randrange(0xE000, 0x110000))))
                   for _ in range(rng.randrange(1, 60)))


class Sender:
    """Sends one malformed message after the other to a node.

    Args:
        client: a `GraphClient`.
        rng: decides what.
    """

    def __init__(self, client: Any, rng: random.Random):
        from std_msgs.msg import String

        self._client, self._rng = client, rng
        self._kinds: dict[str, Callable[[], None]] = {
            'image': lambda: client.publish('image', an_image(rng)),
            'depth': lambda: client.publish('depth', an_image(rng)),
            'camera_info': lambda: client.publish('camera_info', a_camera_info(rng)),
            'expression': lambda: client.publish('expression', String(data=a_text(rng))),
            'call': self._call,
        }
        self.statuses: Counter = Counter()
        self.sent: Counter = Counter()

    def take_compressed(self) -> None:
        """From now on the node hears compressed images in place of raw ones."""
        client = self._client
        assert client.transition('deactivate')
        assert client.set_parameter('image_transport', 'compressed').successful
        assert client.transition('activate')
        client.wait_until_heard(['camera_info', 'depth', 'expression'])
        self._kinds['image'] = lambda: client.publish(
            'image/compressed', a_compressed_image(self._rng))

    def send(self) -> None:
        """One message of a kind."""
        kind = self._rng.choice(tuple(self._kinds))
        self.sent[kind] += 1
        self._kinds[kind]()

    def _call(self) -> None:
        rng = self._rng
        answer = self._client.call(
            rng.choice((a_text(rng), 'the red box')), an_image(rng),
            rng.choice((None, an_image(rng))), rng.choice((None, a_camera_info(rng))),
            rng.choice((0.0, 0.0, *_NUMBERS, 5.0)))
        self.statuses[answer.status] += 1


def anonymous_kb(pid: int) -> int:
    """Memory of a process that no file backs."""
    for line in Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith('RssAnon:'):
            return int(line.split()[1])
    raise AssertionError('the kernel tells no RssAnon')


def measure(effort: Effort) -> Outcome:
    """Half of the time with raw, half with compressed images."""
    from ros_graph import GraphClient, image, NodeProcess

    # A picture of 64 megapixels takes seconds on a CPU; the question after it waits.
    node = NodeProcess({'max_age': 3600.0, 'max_rate': 100.0, 'service_timeout': 120.0})
    client = GraphClient()
    try:
        node.wait_for_output('active: images')
        sender = Sender(client, random.Random(effort.seed))
        good, right = image(), client.call('the red box', image())
        wrong, memory_kb = [], [[]]
        for number in _numbers(effort):
            sender.send()
            if len(memory_kb) == 1 and (
                    number >= MESSAGES / 2 or effort.spent_s > effort.seconds / 2):
                sender.take_compressed()
                memory_kb.append([])
            if number % BETWEEN == 0:
                answer = client.call('the red box', good)
                if (answer.status, answer.mask.mask.data) != (
                        right.status, right.mask.mask.data):
                    wrong.append([number, answer.status, answer.reason])
                memory_kb[-1].append(anonymous_kb(node.pid))
        alive, trouble = node.alive, node.output.count('Traceback')
    finally:
        client.close()
        ended = node.stop()
    return _outcome(sender, wrong, memory_kb, alive and ended == 0 and not trouble)


def _numbers(effort: Effort) -> Iterator[int]:
    number = 0
    while number < MESSAGES and effort.left_s > 10:
        number += 1
        yield number


def growth_percent(memory_kb: list[int]) -> float:
    """From the end of the warm-up to the end, of medians: one answer more or less is no growth."""
    warm, few = int(len(memory_kb) * _WARM), int(len(memory_kb) * _SHARE) + 1
    before, after = (sorted(part)[len(part) // 2] for part in (
        memory_kb[warm:warm + few], memory_kb[-few:]))
    return 100 * (after / before - 1)


def _outcome(sender: Sender, wrong: list, memory_kb: list[list[int]], whole: bool) -> Outcome:
    from refdiff_ros.msg import ReferringMask

    growth = [round(growth_percent(half), 1) for half in memory_kb if len(half) > 2]
    internal = sender.statuses[ReferringMask.INTERNAL]
    figure = (f'{sender.sent.total()} messages, {sum(map(len, memory_kb))} valid questions in '
              f'between, {len(wrong)} answered otherwise than before; {internal} INTERNAL; memory '
              f'{" and ".join(f"{each:+.1f} %" for each in growth)} (second halves of raw and of '
              'compressed images)')
    held = whole and not wrong and not internal and max(growth, default=0) < 2
    return Outcome(figure, held, {
        'sent': dict(sender.sent), 'statuses': {str(k): n for k, n in sender.statuses.items()},
        'memory_kb': memory_kb, 'whole': whole, 'wrong': wrong})


ROW = Row('malformed messages of all kinds, valid questions in between',
          '20,000; no crash, hang or wrong status; memory + < 2 %', measure)
