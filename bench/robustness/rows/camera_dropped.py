"""The camera goes, and comes back with another size and QoS: how many frames until an answer?"""

import random
import time

from row import Effort, Outcome, Row

TIMES = 50
PERIOD_S = 1.0
_SIZES = ((96, 128), (120, 160), (144, 192), (180, 240), (128, 96))
_EXPRESSION = 'the red box'


def measure(effort: Effort) -> Outcome:
    """A publisher of its own each time; each frame is answered before the next is sent."""
    from ros_graph import GraphClient, NodeProcess

    random_ = random.Random(effort.seed)
    node = NodeProcess({'max_rate': 100.0, 'mode': 'G'})
    client = GraphClient()
    trials: list[dict] = []
    try:
        client.wait_until('active')
        client.say(_EXPRESSION)
        while len(trials) < TIMES and effort.left_s > 20.0:
            trials.append(_trial(client, random_))
            if len(trials) % 10 == 0:
                print(trials[-1], flush=True)
    finally:
        client.close()
        ended = node.stop()
    back = sum(each['answered'] for each in trials)
    frames = [each['frames'] for each in trials if each['answered']]
    return Outcome(
        f'{back} of {len(trials)} back, {sum(count <= 1 for count in frames)} of them with the '
        f'first frame that reached the node (most: {max(frames, default=0)})',
        bool(trials) and back == len(trials) and max(frames) <= 1 and ended == 0,
        {'trials': trials})


def _trial(client, random_: random.Random) -> dict:
    from rclpy.event_handler import PublisherEventCallbacks
    from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
    from ros_graph import image, picture, wait_for
    from sensor_msgs.msg import Image

    size = random_.choice(_SIZES)
    reliable, latched = random_.random() < 0.5, random_.random() < 0.3
    publisher = client.node.create_publisher(Image, 'image', QoSProfile(
        depth=5, reliability=ReliabilityPolicy.RELIABLE if reliable or latched
        else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE),
        # An executor may still wait for a publisher's events as it is destroyed.
        event_callbacks=PublisherEventCallbacks(use_default_callbacks=False))
    wait_for(publisher.get_subscription_count)
    before = int(client.diagnosis('inputs')[1].get('image received', 0))
    client.masks.clear()
    began_s = time.monotonic()
    sent: list = []

    def answered() -> bool:
        return any(m.header == s.header and (m.mask.height, m.mask.width) == size
                   for m in list(client.masks) for s in sent)
    while not answered() and time.monotonic() - began_s < 60.0:
        sent.append(image(picture(*size, seed=random_.randrange(1000))))
        publisher.publish(sent[-1])
        end_s = time.monotonic() + PERIOD_S
        while not answered() and time.monotonic() < end_s:
            time.sleep(0.01)
    done = answered()
    first = next((i for i, s in enumerate(sent) if any(
        m.header == s.header for m in list(client.masks))), len(sent))
    client.node.destroy_publisher(publisher)
    wait_for(lambda: not client.node.get_publishers_info_by_topic('image'))
    return {'size': size, 'reliable': reliable, 'latched': latched, 'answered': done,
            'frames': first, 'before': before, 'seconds': round(time.monotonic() - began_s, 2)}


ROW = Row('camera dropped and back, other sizes and QoS',
          '50 of 50, back within one frame of the camera', measure)
