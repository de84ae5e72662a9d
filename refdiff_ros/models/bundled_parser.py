"""A bundle's own spaCy pipeline, which may neither read nor run what it does not bring.

spaCy's folders name functions to call and carry regular expressions. Only the components that this
package uses are loaded, made by spaCy's own functions, and the tokenizer is the language's own: no
expression of the folder is ever matched.
"""

import logging
from pathlib import Path
from typing import Any

from refdiff_ros.errors import BundleError
from refdiff_ros.language.shipped_parser import load_parser
from refdiff_ros.models.bundle import Part
from refdiff_ros.models.listed_files import only_listed
from refdiff_ros.optional import require_package

# What tells words apart and joins them into a tree.
_COMPONENTS = ('tok2vec', 'transformer', 'tagger', 'morphologizer', 'parser', 'attribute_ruler')
_FUNCTIONS = ('spacy.', 'spacy-legacy.', 'spacy-transformers.', 'spacy-curated-transformers.')
_REGISTRIES = ('@architectures', '@layers', '@tokenizers', '@vectors', '@scorers')
_LOG = logging.getLogger(__name__)


def load_bundled_parser(part: Part, folder: Path) -> Any:
    """The spaCy pipeline of `part`; the shipped parser where its package is not installed.

    Raises:
        BundleError: spaCy is not installed, or the pipeline asks for what it may not have.
    """
    try:
        spacy = require_package('spacy', 'parser')
        if part.files:
            with only_listed(part, folder) as place:
                return _load(spacy, place)
        if spacy.util.is_package(part.package):
            return spacy.util.load_model_from_package(part.package)
    except BundleError:
        raise
    except Exception as error:  # a broken folder fails anywhere in spaCy
        raise BundleError(f'expected a spaCy pipeline in part {part.name}, which cannot be '
                          f'loaded: {error}') from error
    _LOG.info("spaCy's %s is not installed: the parser of this package is used instead",
              part.package)
    return load_parser()


def _load(spacy: Any, place: Path) -> Any:
    config = spacy.util.load_config(place / 'config.cfg', interpolate=False)
    components = config.get('components', {})
    kept = [name for name in config['nlp']['pipeline']
            if components.get(name, {}).get('factory') in _COMPONENTS]
    wanted = {
        'nlp': {**config['nlp'], 'pipeline': kept, 'disabled': []},
        'components': {name: components[name] for name in kept}}
    _check(wanted, 'config.cfg')
    for path in place.glob('attribute_ruler/*'):
        if b'REGEX' in path.read_bytes():
            raise BundleError(f'expected rules without regular expressions, got some in '
                              f'{path.relative_to(place)}')
    nlp = spacy.util.load_model_from_config(wanted, auto_fill=True, validate=True)
    unused = [path.name for path in place.iterdir()
              if path.is_dir() and path.name not in (*kept, 'vocab')]
    return nlp.from_disk(place, exclude=[*unused, 'tokenizer'])


def _check(values: Any, where: str) -> None:
    """Whether a configuration calls spaCy's own functions alone.

    Raises:
        BundleError: it does not.
    """
    if not isinstance(values, dict):
        return
    for key, value in values.items():
        place = f'{where}: {key}'
        if key.startswith('@') and (
                key not in _REGISTRIES or not str(value).startswith(_FUNCTIONS)):
            raise BundleError(f'expected functions of spaCy, got {value!r} ({place})')
        if key in ('source', 'path', 'pretrained_vectors') and value:
            raise BundleError(f'expected a pipeline that reads nothing beside itself, got '
                              f'{value!r} ({place})')
        _check(value, place)
