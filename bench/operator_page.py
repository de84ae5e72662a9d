"""The operator page in headless Chromium, with the simulated camera and `tabletop_mini`.

    . tools/env.sh && python bench/operator_page.py --out page.json

Load: from the start of the navigation to the load event, to the first byte, and to the first
camera picture on the canvas, for a page that the browser has not seen before. Rates: pictures and
answers that were drawn, counted in the page over `--seconds`, with answered frames alone and with
the camera live under them, beside the rates at which the camera sent and the node answered. Frame
age: of the picture as it was drawn, from its receipt by the node, a sample every 0.1 s.
"""

import argparse
import itertools
import json
from pathlib import Path
import statistics
import sys
import tempfile
import time

import node_bench

_READ = """(() => {
  const n = performance.getEntriesByType('navigation')[0];
  return {first_byte_ms: n.responseStart, load_ms: n.loadEventEnd};
})()"""


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=float, default=20.0)
    parser.add_argument('--loads', type=int, default=5)
    parser.add_argument('--expression', default='the pink plate')
    parser.add_argument('--out', help='JSON file')
    args = parser.parse_args()
    node_bench.claim_domain()
    loads, rates = measure(args)
    node_bench.report('operator page, load in ms', [loads], None)
    node_bench.report('operator page, pictures', rates, None)
    if args.out:
        Path(args.out).write_text(json.dumps({'loads': loads, 'rates': rates}, indent=1) + '\n')


def measure(args: argparse.Namespace) -> tuple[dict, list[dict]]:
    """The row of the loads, and those of the rates."""
    from free_port import free_port
    from ros_graph import GraphClient, NODE, NodeProcess

    port = free_port()
    remap = list(itertools.chain.from_iterable(
        ('-r', pair) for pair in ('color/image_raw:=image', 'depth/image_raw:=depth',
                                  'color/camera_info:=camera_info')))
    camera = NodeProcess({}, NODE.parent / 'tabletop_camera', remap)
    node = NodeProcess({'bundle': 'tabletop_mini', 'web_port': port})
    client = GraphClient()
    try:
        node.wait_for_output('active: images', 600.0)
        camera.wait_for_output('scene 0')
        url = f'http://127.0.0.1:{port}/'
        return _loads(url, args.loads), _rates(url, client, args)
    finally:
        client.close()
        node.stop()
        camera.stop()


def _loads(url: str, count: int) -> dict:
    import chromium

    found: dict[str, list[float]] = {}
    for _ in range(count):
        browser = chromium.Chromium(Path(tempfile.mkdtemp()))
        began_s = time.monotonic()
        browser.open(url)
        browser.wait_for('window.refdiff && refdiff.pictures > 0')
        found.setdefault('first_picture_ms', []).append((time.monotonic() - began_s) * 1e3)
        for name, value in browser.js(_READ).items():
            found.setdefault(name, []).append(value)
        browser.close()
    return {'what': f'load, median of {count}',
            **{name: round(statistics.median(values)) for name, values in found.items()}}


def _rates(url: str, client: object, args: argparse.Namespace) -> list[dict]:
    import chromium

    browser = chromium.Chromium(Path(tempfile.mkdtemp()))
    rows = []
    try:
        browser.open(url)
        browser.wait_for('window.refdiff && refdiff.pictures > 0')
        rows.append(_count(browser, client, args.seconds, 'no question'))
        browser.js('document.getElementById("text").focus()')
        browser.type(args.expression)
        browser.press('Enter')
        browser.wait_for('refdiff.answers > 1')
        rows.append(_count(browser, client, args.seconds, 'answered frames'))
        browser.js('document.getElementById("show-live").click()')
        time.sleep(1.0)
        rows.append(_count(browser, client, args.seconds, 'camera live'))
    finally:
        browser.close()
    return rows


def _count(browser: object, client: object, seconds: float, what: str) -> dict:
    read = 'refdiff.pictures + " " + refdiff.answers'
    before = list(map(int, browser.js(read).split()))
    published, began_s = len(client.masks), time.monotonic()
    ages = []
    while time.monotonic() - began_s < seconds:
        ages.append(browser.js('performance.now() - refdiff.now.pictureAt'))
        time.sleep(0.1)
    took_s = time.monotonic() - began_s
    after = list(map(int, browser.js(read).split()))
    latency = browser.js('refdiff.now.answer ? refdiff.now.answer.latency_ms : 0')
    return {
        'what': what, 'camera_hz': float(browser.js('refdiff.now.state.images_hz')),
        'pictures_hz': round((after[0] - before[0]) / took_s, 2),
        'answers_drawn_hz': round((after[1] - before[1]) / took_s, 2),
        'answers_published_hz': round((len(client.masks) - published) / took_s, 2),
        'frame_age_ms': round(statistics.median(ages)), 'last_latency_ms': round(latency)}


if __name__ == '__main__':
    sys.exit(main())
