"""The options of scripts that ask the cases of the tabletop set."""

import argparse


def case_parser(description: str) -> argparse.ArgumentParser:
    """A parser of `--bundle`, `--split`, `--half` and `--limit`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--bundle', default='tabletop_mini')
    parser.add_argument('--split', default='val')
    parser.add_argument('--half', default='all', choices=('all', 'seen', 'unseen'))
    parser.add_argument('--limit', type=int, help='cases at most (default all)')
    return parser
