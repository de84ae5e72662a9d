"""What a bundle that somebody else made cannot do."""

import hashlib
import json
import shutil
import subprocess
import sys
import time

import pytest
import spacy
from spacy.pipeline import EntityRuler
import srsly

from refdiff_ros.errors import BadRequestError, BundleError
from refdiff_ros.language.shipped_parser import FOLDER, load_parser
from refdiff_ros.models import memory
from refdiff_ros.models.bundle import MANIFEST
from refdiff_ros.models.bundled_parser import load_bundled_parser
from refdiff_ros.models.located import Located
from refdiff_ros.models.lock_file import check_files
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.models.store import locate
from refdiff_ros.models.untrained import build_untrained
from refdiff_ros.models.writer import write_bundle

# Takes longer than anybody waits on a text of many a.
ENDLESS = '(a+)+$'
TEXT = 'the red mug behind ' + 'a' * 60 + '!'


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp('trust') / 'bundle'
    write_bundle(build_untrained(), folder)
    shutil.copytree(FOLDER / 'model', folder / 'parser')
    return folder


@pytest.fixture
def copied(written, tmp_path, monkeypatch):
    monkeypatch.setenv('REFDIFF_HOME', str(tmp_path / 'home'))
    return shutil.copytree(written, tmp_path / 'bundle')


def relist(folder, part):
    """The manifest as somebody writes it who may list what he likes."""
    values = json.loads((folder / MANIFEST).read_text())
    values['parts'].setdefault(part, {'layout': 'spacy'})['files'] = [
        {'path': str(path.relative_to(folder / part)),
         'sha256': hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in sorted((folder / part).rglob('*')) if path.is_file()]
    (folder / MANIFEST).write_text(json.dumps(values))


def bundled_parser(folder):
    relist(folder, 'parser')
    located = locate(str(folder))
    assert check_files(located) == []
    return load_bundled_parser(located.bundle.part('parser'), folder)


def edit_config(folder, change):
    path = folder / 'parser/config.cfg'
    config = spacy.util.load_config(path, interpolate=False)
    change(config)
    config.to_disk(path)


@pytest.mark.parametrize('part', ['clip', 'diffusion/unet', 'diffusion/vae'])
def test_unlisted_index_is_not_read(copied, part):
    """Loaders prefer an index of shards to the file of weights."""
    stem = 'model' if part == 'clip' else 'diffusion_pytorch_model'
    (copied / part / f'{stem}.safetensors.index.json').write_text(
        '{"weight_map": {"x": "other.safetensors"}}')
    (copied / part / 'other.safetensors').write_bytes(b'no model')
    (copied / part / 'adapter_config.json').write_text('{')
    assert load_bundle(str(copied), device='cpu').name == 'untrained_mini'


def test_unlisted_tokenizer_is_not_read(copied):
    plain = load_bundle(str(copied), device='cpu').clip.tokenizer('the red mug').input_ids
    (copied / 'clip/added_tokens.json').write_text('{"red": 3}')
    (copied / 'clip/chat_template.jinja').write_text('{{ x }}')
    again = load_bundle(str(copied), device='cpu').clip.tokenizer
    assert again('the red mug').input_ids == plain


def test_bundled_parser_finds_what_the_same_shipped_one_finds(copied):
    nlp, shipped = bundled_parser(copied), load_parser()
    for text in ('the mug to the left of the red box', 'second can from the right'):
        assert [(token.text, token.dep_, token.tag_, token.pos_) for token in nlp(text)] == [
            (token.text, token.dep_, token.tag_, token.pos_) for token in shipped(text)]


def test_regular_expressions_of_a_bundled_parser_are_not_matched(copied):
    nlp = spacy.load(copied / 'parser')
    nlp.tokenizer.token_match = __import__('re').compile(ENDLESS).match
    nlp.tokenizer.to_disk(copied / 'parser/tokenizer')
    ruler = EntityRuler(nlp, patterns=[
        {'label': 'X', 'pattern': [{'TEXT': {'REGEX': ENDLESS}}]}])
    ruler.to_disk(copied / 'parser/entity_ruler')

    def add(config):
        config['nlp']['pipeline'].append('entity_ruler')
        config['components']['entity_ruler'] = {'factory': 'entity_ruler'}
    edit_config(copied, add)
    nlp, began_s = bundled_parser(copied), time.monotonic()
    assert nlp(TEXT)[2].text == 'mug'
    assert time.monotonic() - began_s < 10
    assert nlp.pipe_names == ['tok2vec', 'tagger', 'morphologizer', 'parser']


def test_rules_with_regular_expressions_are_refused(copied):
    (copied / 'parser/attribute_ruler').mkdir()
    srsly.write_msgpack(copied / 'parser/attribute_ruler/patterns', [
        {'patterns': [[{'TEXT': {'REGEX': ENDLESS}}]], 'attrs': {}, 'index': 0}])

    def add(config):
        config['nlp']['pipeline'].append('attribute_ruler')
        config['components']['attribute_ruler'] = {'factory': 'attribute_ruler'}
    edit_config(copied, add)
    with pytest.raises(BundleError, match='without regular expressions'):
        bundled_parser(copied)


def _read_elsewhere(config):
    config['components']['tok2vec'] = {'source': '/etc/model'}
    config['components']['tok2vec']['factory'] = 'tok2vec'


@pytest.mark.parametrize(('change', 'message'), [
    (_read_elsewhere, 'reads nothing beside itself'),
    (lambda config: config['nlp'].update(
        before_creation={'@callbacks': 'spacy.copy_from_base_model.v1'}), 'functions of spaCy'),
    (lambda config: config['components']['tagger'].update(
        model={'@architectures': 'mine.v1'}), 'functions of spaCy'),
    (lambda config: config['nlp'].update(
        tokenizer={'@readers': 'srsly.read_json.v1', 'path': '/etc/passwd'}),
     'functions of spaCy'),
    (lambda config: config['nlp'].update(
        vectors={'@vectors': 'spacy.Vectors.v1', 'path': '/etc/passwd'}),
     'reads nothing beside itself'),
])
def test_bundled_parser_calls_and_reads_nothing_else(copied, change, message):
    edit_config(copied, change)
    with pytest.raises(BundleError, match=message):
        bundled_parser(copied)


def test_unlisted_file_of_a_bundled_parser_is_not_read(copied):
    relist(copied, 'parser')
    located = locate(str(copied))
    vectors = copied / 'parser/vocab/lookups_extra.bin'
    vectors.write_bytes(b'no lookups')
    (copied / 'parser/attribute_ruler').mkdir()
    (copied / 'parser/attribute_ruler/patterns').write_bytes(b'REGEX')
    assert load_bundled_parser(located.bundle.part('parser'), copied)('the mug')[1].text == 'mug'


def test_broken_parser_is_one_sentence(copied):
    (copied / 'parser/parser/moves').write_bytes(b'\xff')
    with pytest.raises(BundleError, match='spaCy pipeline in part parser, which cannot be'):
        bundled_parser(copied)


@pytest.mark.parametrize(('mode', 'loaded'), [
    ('G', {'vae', 'unet', 'text_encoder'}), ('GS', {'vae', 'unet', 'text_encoder', 'sam'}),
    ('DS', {'clip', 'sam'}), ('full', {'vae', 'unet', 'text_encoder', 'clip', 'sam'}),
])
def test_mode_loads_and_needs_only_its_own_files(copied, mode, loaded):
    parts = {'vae': 'diffusion', 'unet': 'diffusion', 'text_encoder': 'diffusion',
             'clip': 'clip', 'sam': 'sam'}
    for unused in {'diffusion', 'clip', 'sam'} - {parts[name] for name in loaded}:
        shutil.rmtree(copied / unused)
    models = load_bundle(str(copied), device='cpu', mode=mode)
    assert memory.modules(models).keys() == loaded
    assert memory.modules(load_bundle('untrained_mini', device='cpu', mode=mode)).keys() == loaded


def test_part_that_was_not_loaded_is_named(copied):
    models = load_bundle(str(copied), device='cpu', mode='G')
    with pytest.raises(BadRequestError, match="the part 'clip' of bundle 'untrained_mini'"):
        models.need('clip')
    models.need('diffusion')


def test_freed_memory_goes_back_to_the_system():
    if memory.anonymous_bytes() is None:
        pytest.skip('needs /proc/self/smaps_rollup')
    # In a process of its own: a heap that other tests have used has room for all of it. Blocks are
    # below the size from which the C library asks the system for each by itself, and one stays at
    # the end of the heap.
    code = """
import torch
from refdiff_ros.models import memory
before = memory.anonymous_bytes()
tensors = [torch.ones(24_000) for _ in range(3000)]
held, rest = memory.anonymous_bytes(), tensors[-1]
del tensors
memory.free_caches()
print(held - before, memory.anonymous_bytes() - before, int(rest.sum()))
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    grown, kept, total = map(int, done.stdout.split())
    assert grown > 200e6 and kept < 50e6 and total == 24_000


def test_located_parts_limit_the_files(written):
    located = locate(str(written))
    some = Located(located.bundle, located.folder, parts=frozenset({'sam'}))
    assert set(some.files()) == {'sam/config.json', 'sam/model.safetensors'}
