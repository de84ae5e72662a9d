"""The pages' templates: every text that is filled in is escaped, unless it is a part of a page."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
import hashlib
from pathlib import Path
from typing import Any

from refdiff_ros.errors import RefDiffError
from refdiff_ros.optional import require_package

_ASSETS = Path(__file__).parent / 'assets'


@dataclass(frozen=True)
class Cell:
    """A place in a table.

    Attributes:
        text: what stands in it.
        under: what stands below that, smaller.
        run: 0 or 1 where it is of one of two runs.
    """

    text: str
    under: str = ''
    run: int | None = None


@dataclass(frozen=True)
class Table:
    """A table of figures.

    Attributes:
        label: says what it is to who cannot see it.
        first: head of the column of names.
        heads: of the other columns.
        rows: each a name and its cells.
    """

    label: str
    first: str
    heads: Sequence[Cell]
    rows: Sequence[tuple[str, Sequence[Cell]]]


def render(name: str, **values: Any) -> Any:
    """A template filled in, as markup that other templates take as it is.

    Raises:
        MissingPackageError: Jinja2 is not installed.
    """
    markup = require_package('markupsafe', 'models').Markup
    return markup(_environment().get_template(name).render(values))


def render_page(name: str, script: str = '', **values: Any) -> str:
    """A whole document with this script, the style sheet, and a policy that allows no other.

    Raises:
        MissingPackageError: as in `render`.
    """
    markup = require_package('markupsafe', 'models').Markup
    style = asset('report.css')
    return str(render(name, policy=_content_policy(script, style), style=markup(style),
                      script=markup(script), **values))


def write_page(path: Path, text: str) -> None:
    """Write a document; the folder is made.

    Raises:
        RefDiffError: the file cannot be written, as on a full disk.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
    except OSError as error:
        raise RefDiffError(f'expected to write the report to {path}, got: {error}') from error


def asset(name: str) -> str:
    """A file of the page's own."""
    return (_ASSETS / name).read_text(encoding='utf-8')


@cache
def _environment() -> Any:
    jinja2 = require_package('jinja2', 'models')
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_ASSETS), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    # Small, in the order in which columns are shown, and no NaN, which browsers do not read.
    environment.policies['json.dumps_kwargs'] = {'separators': (',', ':'), 'allow_nan': False}
    return environment


def _content_policy(script: str, style: str) -> str:
    """A content security policy: this script, this style and embedded pictures, nothing else."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
              for text in (script, style)]
    return (f"default-src 'none'; img-src data:; script-src 'sha256-{hashes[0]}'; "
            f"style-src 'sha256-{hashes[1]}'; base-uri 'none'; form-action 'none'")
