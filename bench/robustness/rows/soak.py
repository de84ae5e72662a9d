"""A camera at 10 Hz, expressions that change, calls, the page open: does anything grow?"""

import asyncio
import json
import random
import threading
import time

from process_numbers import anonymous_by_kind, growth, numbers
from row import Effort, Outcome, Row

CAMERA_HZ = 10.0
SAMPLE_S = 10.0
# Allocators and caches fill until then: a fifth of the time, ten minutes at most.
WARM_UP_S, WARM_UP_SHARE = 600.0, 0.3
MOST_GROWTH = 0.02
_VIEWS = 48
_NOUNS = ('mug', 'box', 'plate', 'bowl', 'can', 'bottle', 'block', 'ball')
_COLOURS = ('red', 'green', 'blue', 'yellow', 'white', 'pink', 'orange', 'purple')
_PLACES = ('', ' on the left', ' on the right', ' behind the {colour} {noun}',
           ' next to the {colour} {noun}', ' in front of the {colour} {noun}')


def measure(effort: Effort) -> Outcome:
    """Run the node under everything at once, sampling its process."""
    from free_port import free_port
    from ros_graph import GraphClient, NodeProcess

    port = free_port()
    node = NodeProcess({'bundle': 'tabletop_mini', 'web_port': port, 'follow': True})
    client = GraphClient()
    ended = threading.Event()
    done = {'frames': 0, 'expressions': 0, 'calls': 0, 'unanswered': 0, 'page_messages': 0}
    samples: list[dict] = []
    try:
        client.wait_until('active')
        loads = [threading.Thread(target=load, args=(*args, ended, done), daemon=True)
                 for load, *args in (
                     (_camera, client, effort.seed), (_say, client, effort.seed),
                     (_call, client, effort.seed), (_page, port))]
        for thread in loads:
            thread.start()
        warm_s = effort.spent_s + min(WARM_UP_S, WARM_UP_SHARE * effort.left_s)
        while effort.left_s > 5.0 and node.alive:
            time.sleep(SAMPLE_S)
            client.masks.clear()
            client.grasps.clear()
            del client.diagnostics[:-2]
            samples.append(numbers(node.pid) | anonymous_by_kind(node.pid) | {
                'seconds': round(effort.spent_s, 1), 'warm': effort.spent_s > warm_s})
            if len(samples) % 6 == 0:
                print(samples[-1] | done, flush=True)
        ended.set()
        for thread in loads:
            thread.join(30.0)
        crashed = 'Traceback' in node.output or not node.alive
    finally:
        ended.set()
        client.close()
        node.stop()
    return _outcome(samples, done, crashed)


def _outcome(samples: list[dict], done: dict, crashed: bool) -> Outcome:
    warm = [each for each in samples if each['warm']]
    if not warm:
        return Outcome('the node ended before it was warm', False, {'samples': samples})
    grown = growth(warm, 'anonymous_mb')
    moved = {key: sorted({each[key] for each in warm}) for key in ('threads', 'descriptors')}
    spread = {key: values[-1] - values[0] for key, values in moved.items()}
    minutes = (warm[-1]['seconds'] - warm[0]['seconds']) / 60
    figure = (f'anonymous memory {grown:+.1%} over {minutes:.0f} min after '
              f'{warm[0]["seconds"] / 60:.0f} min of warm-up ({warm[0]["anonymous_mb"]:.0f} to '
              f'{warm[-1]["anonymous_mb"]:.0f} MB), threads {warm[-1]["threads"]:.0f} (range '
              f'{spread["threads"]:.0f}), descriptors {warm[-1]["descriptors"]:.0f} (range '
              f'{spread["descriptors"]:.0f}); {done["frames"]} frames, {done["expressions"]} '
              f'expressions, {done["calls"]} calls, {done["unanswered"]} unanswered')
    held = grown < MOST_GROWTH and max(spread.values()) <= 2 and not crashed and \
        not done['unanswered']
    return Outcome(figure, held, {'samples': samples, **done})


def expression(random_: random.Random) -> str:
    """A new one nearly every time."""
    def thing() -> dict[str, str]:
        return {'colour': random_.choice(_COLOURS), 'noun': random_.choice(_NOUNS)}
    return 'the {colour} {noun}'.format(**thing()) + random_.choice(_PLACES).format(**thing())


def _camera(client, seed: int, ended: threading.Event, done: dict) -> None:
    import numpy as np
    from ros_graph import image

    from refdiff_ros.sim.splits import split_views

    pictures = [view.frame.image_rgb for view in split_views('train', range(_VIEWS), depth=False)]
    noise = np.random.default_rng(seed)
    next_s = time.monotonic()
    while not ended.is_set():
        table = pictures[done['frames'] // 50 % len(pictures)]
        picture = np.clip(table + noise.integers(-3, 4, table.shape), 0, 255).astype(np.uint8)
        client.publish('image', image(picture))
        done['frames'] += 1
        next_s = max(next_s + 1 / CAMERA_HZ, time.monotonic() - 1.0)
        ended.wait(max(0.0, next_s - time.monotonic()))


def _say(client, seed: int, ended: threading.Event, done: dict) -> None:
    random_ = random.Random(seed)
    while not ended.wait(random_.uniform(2.0, 8.0)):
        client.say('' if random_.random() < 0.1 else expression(random_))
        done['expressions'] += 1


def _call(client, seed: int, ended: threading.Event, done: dict) -> None:
    random_ = random.Random(seed + 1)
    while not ended.wait(random_.uniform(1.0, 5.0)):
        try:
            client.call(expression(random_))
        except AssertionError:
            done['unanswered'] += 1
        done['calls'] += 1


def _page(port: int, ended: threading.Event, done: dict) -> None:
    asyncio.run(_watch(port, ended, done))


async def _watch(port: int, ended: threading.Event, done: dict) -> None:
    """As the page's script does: show what comes, and say so."""
    import aiohttp

    url = f'http://127.0.0.1:{port}'
    async with aiohttp.ClientSession() as session, session.ws_connect(
            f'{url}/ws', headers={'Origin': url}, max_msg_size=0) as socket:
        await socket.send_json({'do': 'shown'})
        await socket.send_json({'do': 'look', 'live': True, 'attention': True})
        while not ended.is_set():
            try:
                message = await socket.receive(timeout=1.0)
            except TimeoutError:
                continue
            if message.type is aiohttp.WSMsgType.BINARY:
                await socket.send_str(json.dumps({'do': 'shown'}))
            done['page_messages'] += 1


ROW = Row('soak: 10 Hz camera, changing expressions, calls, page open',
          '60 minutes: anonymous memory + < 2 % after warm-up, threads and descriptors constant',
          measure)
