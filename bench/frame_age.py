"""Age of the frame at publish, with a 30 Hz camera and a model that takes half a second.

    . tools/env.sh && python bench/frame_age.py --out age.json

Age is from the image's stamp to the arrival of its answer at a subscriber. A node that works off
a queue grows older with every frame; one that takes the newest stays at the model's time and at
most one camera period more. The model's time is stretched with the tests' slow node.
"""

import argparse
import time

import node_bench


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=float, default=20.0)
    parser.add_argument('--slow', type=float, default=0.5, help='seconds added to each answer')
    parser.add_argument('--out', help='JSON file')
    args = parser.parse_args()
    node_bench.claim_domain()
    row = measure(args.seconds, args.slow)
    node_bench.report('frame age at publish, ms', [row], args.out)


def measure(seconds: float, slow_s: float, rate_hz: float = 30.0) -> dict:
    """The one row of the table."""
    from ros_graph import GraphClient, image, NodeProcess, picture, ROOT

    from refdiff_ros.msg import ReferringMask

    node = NodeProcess({'max_rate': 1000.0, 'mode': 'G'}, ROOT / 'test' / 'slow_node.py',
                       environment={'REFDIFF_TEST_SEGMENT_S': str(slow_s)})
    client = GraphClient()
    try:
        client.wait_until('active')
        client.say('the red box')
        arrivals = node_bench.Arrivals()
        client.listen(ReferringMask, 'refdiff/mask', arrivals)
        pixels, began, sent_s = picture(480, 640), time.monotonic(), {}
        while time.monotonic() - began < seconds:
            number = len(sent_s) + 1
            msg = image(pixels, stamp=number)
            sent_s[number] = time.monotonic()
            client.publish('image', msg)
            time.sleep(max(0.0, began + number / rate_hz - time.monotonic()))
    finally:
        client.close()
        node.stop()
    ages = [(arrived - sent_s[mask.header.stamp.sec]) * 1e3 for arrived, mask in arrivals]
    models = [mask.model_ms for _, mask in arrivals]
    age, model = node_bench.quantiles(ages), node_bench.quantiles(models)
    half = len(ages) // 2
    return {'camera Hz': round(len(sent_s) / seconds, 1), 'model median': model['median'],
            'age median': age['median'], 'age p95': age['p95'],
            'age, first half': node_bench.quantiles(ages[:half])['median'],
            'age, second half': node_bench.quantiles(ages[half:])['median'],
            'answers': age['n']}


if __name__ == '__main__':
    main()
