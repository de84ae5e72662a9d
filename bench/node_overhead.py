"""The node's own time per image, beside a node that does nothing but receive and publish.

Receipt to publish, less the time that the models took.

    . tools/env.sh && python bench/node_overhead.py --out overhead.json

Both times are in each answer: `latency_ms` runs from the moment the subscription's callback got
the image to the moment the answer's message was built, `model_ms` is the engine's call alone.
Their difference is decoding, waiting for the worker, grasp region and messages. Not in it are
DDS transport and rclpy's deserialisation before the callback, and serialisation at publish;
'graph' has them: from the publisher's call to the arrival of the answer in another process, less
`model_ms`. 'bare' is the same for `bare_node.py`, in the same run: it receives the image and
publishes a mask of its size. The picture is a tabletop with a camera's noise, `tabletop_mini` is
asked for one of its objects, and masks are answered in full size (max_megapixels 2.1).
"""

import argparse
import signal
import subprocess
import sys
import time

import node_bench
import numpy as np

SIZES_HW = ((480, 640), (1080, 1920))


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--frames', type=int, default=40)
    parser.add_argument('--out', help='JSON file')
    args = parser.parse_args()
    node_bench.claim_domain()
    rows = [measure(size_hw, transport, args.frames)
            for size_hw in SIZES_HW for transport in ('raw', 'compressed')]
    node_bench.report('node overhead without model time, ms', rows, args.out)


def measure(size_hw: tuple[int, int], transport: str, frames: int) -> dict:
    """One row of the table."""
    from ros_graph import GraphClient, NodeProcess
    from sensor_msgs.msg import Image

    from refdiff_ros.msg import ReferringMask

    pixels, expression = node_bench.camera_table(size_hw)
    node = NodeProcess({'bundle': 'tabletop_mini', 'image_transport': transport,
                        'max_rate': 1000.0})
    bare = subprocess.Popen([
        sys.executable, str(node_bench.ROOT / 'bench' / 'bare_node.py'), transport,
        *map(str, size_hw)])
    client = GraphClient()
    try:
        client.wait_until('active')
        client.say(expression)
        arrivals = node_bench.Arrivals()
        client.listen(ReferringMask, 'refdiff/mask', arrivals)
        answered, bare_arrivals = [], node_bench.Arrivals()
        client.listen(Image, 'bare/mask', bare_arrivals)
        for _ in range(frames + 5):
            mask, took_ms, bare_ms = ask(client, arrivals, bare_arrivals, pixels, transport)
            answered.append((mask.latency_ms - mask.model_ms, took_ms - mask.model_ms, bare_ms))
    finally:
        client.close()
        node.stop()
        bare.send_signal(signal.SIGINT)
        bare.wait()
    own, graph, alone = (node_bench.quantiles(values)
                         for values in zip(*answered[5:], strict=True))
    return {'size': f'{size_hw[1]}x{size_hw[0]}', 'transport': transport,
            'node median': own['median'], 'node p95': own['p95'],
            'graph median': graph['median'], 'graph p95': graph['p95'],
            'bare median': alone['median'], 'bare p95': alone['p95'], 'frames': own['n']}


def ask(client, arrivals, bare_arrivals, pixels: np.ndarray, transport: str):
    """Send one frame, wait for both answers: the mask, and for each node milliseconds from send to
    arrival.
    """
    from ros_graph import wait_for

    topic = 'image' if transport == 'raw' else 'image/compressed'
    for _ in range(20):
        msg = message(pixels, transport)
        start = time.monotonic()
        client.publish(topic, msg)
        try:
            for came in (bare_arrivals, arrivals):
                wait_for(lambda msg=msg, came=came: came and came[-1][1].header == msg.header, 9.0)
        except AssertionError:
            # While the node subscribes anew with the publisher's QoS a frame may be lost.
            continue
        (arrived, mask), (bare_arrived, _) = arrivals[-1], bare_arrivals[-1]
        return mask, (arrived - start) * 1e3, (bare_arrived - start) * 1e3
    raise RuntimeError(f'expected an answer to one of 20 frames on {topic}, got none')


def message(pixels: np.ndarray, transport: str):
    """A raw or a JPEG image."""
    import cv2
    from ros_graph import image
    from sensor_msgs.msg import CompressedImage

    msg = image(pixels)
    if transport == 'raw':
        return msg
    _, data = cv2.imencode('.jpg', pixels)
    return CompressedImage(header=msg.header, format='jpeg', data=data.tobytes())


if __name__ == '__main__':
    main()
