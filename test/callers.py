"""A process with many callers of `/refdiff/segment`, each a client as ROS makes it by default.

    callers.py COUNT SECONDS

Prints 'ready' once all of them reach the service. On a line of its input each client calls once;
then one line of JSON follows: how many were answered within so many seconds, by status, and how
many seconds the last of them took.
"""

from collections import Counter
import json
import os
import sys
import time

import rclpy
from rclpy.executors import SingleThreadedExecutor

from refdiff_ros.srv import ReferSegmentation


def main(count: int, patience_s: float) -> None:
    rclpy.init()
    node = rclpy.create_node(f'callers_{os.getpid()}')
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    clients = [node.create_client(ReferSegmentation, '/refdiff/segment') for _ in range(count)]
    for client in clients:
        while not client.wait_for_service(1.0):
            pass
    print('ready', flush=True)
    for _ in sys.stdin:
        print(json.dumps(answered(executor, clients, patience_s)), flush=True)
    os._exit(0)


def answered(executor, clients, patience_s: float) -> dict:
    """How many calls were answered by the status's number, and seconds until the last of them."""
    began_s = last_s = time.monotonic()
    open_calls = len(clients)
    futures = [client.call_async(ReferSegmentation.Request(expression='the red box'))
               for client in clients]
    end_s = time.monotonic() + patience_s
    while not all(future.done() for future in futures) and time.monotonic() < end_s:
        executor.spin_once(timeout_sec=0.1)
        left = sum(not future.done() for future in futures)
        if left < open_calls:
            open_calls, last_s = left, time.monotonic()
    for client, future in zip(clients, futures, strict=True):
        if not future.done():
            client.remove_pending_request(future)
    statuses = Counter(str(f.result().status) if f.done() else 'lost' for f in futures)
    return {'statuses': statuses, 'last_s': last_s - began_s}


if __name__ == '__main__':
    main(int(sys.argv[1]), float(sys.argv[2]))
