"""`refdiff evaluate`: figures on data whose truth is known."""

import argparse

from refdiff_ros.evaluation.bags.cli import add_bag
from refdiff_ros.evaluation.datasets.cli import add_check
from refdiff_ros.evaluation.decisions.cli import add_decisions
from refdiff_ros.evaluation.html.cli import add_html
from refdiff_ros.evaluation.runs.dataset_cli import add_dataset
from refdiff_ros.evaluation.runs.kept_cli import add_compare, add_table
from refdiff_ros.evaluation.tabletop.cli import add_proposals, add_tabletop


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register the subcommands."""
    parser = subparsers.add_parser('evaluate', help='measure answers where the truth is known')
    commands = parser.add_subparsers(required=True, metavar='WHAT')
    for add in (add_tabletop, add_proposals, add_check, add_html, add_decisions, add_bag,
                add_dataset, add_compare, add_table):
        add(commands)
