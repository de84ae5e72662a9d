"""Runs `refdiff` commands, each in a process of its own that starts at once.

It loads the models' packages, then forks for each command: a test can kill many. Lines in: a JSON
list of arguments, the first of them the file for the output. Lines out: the process's id when it
has started, and its exit status when it has ended. The arguments of the script itself are a first
command that loads whatever the others need.
"""

import json
import os
import sys

import torch

from refdiff_ros.cli import main


def _run(output: str, *arguments: str) -> None:
    stream = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    status = main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def serve() -> None:
    """Until there are no more lines."""
    torch.set_num_threads(1)  # threads would be missing in what is forked
    kept, sys.stdout = sys.stdout, sys.stderr
    main(sys.argv[1:])
    sys.stdout = kept
    print('ready', flush=True)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _run(*json.loads(line))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == '__main__':
    serve()
