"""Where the memory of a process with the shipped bundle goes, import by import.

    . tools/env.sh && python bench/memory_ladder.py

Resident is all of the process that lies in memory. Of it, what is no copy of a file cannot be
dropped when memory runs short: 'own' counts that. In megabytes (10^6).
"""

import importlib
from pathlib import Path
import re

from refdiff_ros.ros.light_imports import without_unused
from refdiff_ros.ros.processes.heap import settle_heap

MODULES = ('numpy', 'torch', 'torchvision', 'transformers', 'diffusers', 'spacy', 'cv2', 'rclpy')
ANSWERS = 20


def main() -> None:
    """Import, load, answer; print a line after each."""
    settle_heap()  # as the node does
    print(f'{"after":24}{"resident MB":>12}{"own MB":>8}')
    show('start')
    with without_unused():  # here too
        for name in MODULES:
            importlib.import_module(name)
            show(name)
        answer()


def answer() -> None:
    """Load, answer and give back."""
    from refdiff_ros.benchmark.asked import draw_picture
    from refdiff_ros.engine import Engine, resolve_preset
    from refdiff_ros.models.library_pages import release_library_pages
    from refdiff_ros.models.manager import load_bundle
    from refdiff_ros.models.memory import trim_heap
    from refdiff_ros.results import Frame

    models = load_bundle('tabletop_mini', device='cpu')
    engine = Engine(models, resolve_preset(models, 'onboard'))
    show('tabletop_mini loaded')
    release_library_pages()  # as the node does before it is active
    show('library pages let go')
    for seed in range(ANSWERS):
        engine.segment(Frame(draw_picture((480, 640), seed)), 'the red mug')
    show(f'{ANSWERS} answers')
    trim_heap()  # as the node does after each answer
    show('given back')


def show(what: str) -> None:
    """A line of the table."""
    rollup = Path('/proc/self/smaps_rollup').read_text(encoding='ascii')
    resident, own = (int(re.search(rf'^{name}:\s+(\d+)', rollup, re.MULTILINE)[1]) * 1024 / 1e6
                     for name in ('Rss', 'Anonymous'))
    print(f'{what:24}{resident:12.0f}{own:8.0f}', flush=True)


if __name__ == '__main__':
    main()
