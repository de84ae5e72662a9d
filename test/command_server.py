"""Runs `refdiff` commands, each in a process of its own that starts at once.

It loads the models' packages, then forks for each command: a test can kill many. Lines in, each a
JSON object, and for each the line that answers it:

    {"start": [arguments], "output": file, "hold": n}  ->  {"started": id of the process}
    {"signal": number}                                 ->  {"signalled": number}
    {"wait": true}                                     ->  {"ended": exit status}

A signal goes to the command that was started last, ended or not: only `wait` lets the system give
its id to somebody else, so no signal can reach another process. With "hold", the answer after the
first n takes ten minutes. The arguments of the script itself are a first command that loads
whatever the others need.
"""

import gc
import json
import os
import signal
import sys
import threading
import time
import traceback
from typing import Any

import torch
from tqdm import tqdm

from refdiff_ros.cli import main
from refdiff_ros.engine import Engine

_answer = Engine.answer


def _hold(count: int) -> None:
    """Let that many answers through."""
    left = count

    def answer(self: Engine, ask: Any) -> Any:
        nonlocal left
        if not left:
            time.sleep(600.0)
        left -= 1
        return _answer(self, ask)
    Engine.answer = answer


def _run(arguments: list[str], output: str, hold: int | None) -> None:
    stream = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    # tqdm's own lock is one of all processes: who is killed holding it would leave it shut.
    tqdm.set_lock(threading.RLock())
    if hold is not None:
        _hold(hold)
    status = 70  # of a fault, which Python prints
    try:
        status = main(arguments)
    except SystemExit as error:
        status = error.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class _Commands:
    """The command that runs, if any."""

    def __init__(self):
        self._child = 0

    def start(self, order: dict[str, Any]) -> dict[str, int]:
        """Fork; what a failed test has left running ends first."""
        self.end()
        self._child = os.fork()
        if not self._child:
            _run(order['start'], order['output'], order.get('hold'))
        return {'started': self._child}

    def signal(self, number: int) -> dict[str, int]:
        """Send a signal to the command."""
        if self._child:
            os.kill(self._child, number)
        return {'signalled': number}

    def wait(self) -> dict[str, int | None]:
        """Until the command has ended."""
        if not self._child:
            return {'ended': None}
        _, status = os.waitpid(self._child, 0)
        self._child = 0
        return {'ended': os.waitstatus_to_exitcode(status)}

    def end(self) -> None:
        """Leave nothing running."""
        self.signal(signal.SIGKILL)
        self.wait()


def serve() -> None:
    """Until there are no more lines."""
    torch.set_num_threads(1)  # threads would be missing in what is forked
    kept, sys.stdout = sys.stdout, sys.stderr
    main(sys.argv[1:])
    sys.stdout = kept
    gc.freeze()  # else each fork would search, and so copy, all of it for garbage
    print(json.dumps({'ready': os.getpid()}), flush=True)
    commands = _Commands()
    for line in sys.stdin:
        order = json.loads(line)
        if 'start' in order:
            reply = commands.start(order)
        elif 'signal' in order:
            reply = commands.signal(order['signal'])
        else:
            reply = commands.wait()
        print(json.dumps(reply), flush=True)
    commands.end()
    sys.stdout.flush()
    os._exit(0)  # the packages need seconds to go


if __name__ == '__main__':
    serve()
