import copy
import json

import pytest

from refdiff_ros.errors import BundleError
from refdiff_ros.models import store
from refdiff_ros.models.bundle import (
    FileSpec,
    MANIFEST,
    manifest_values,
    parse_manifest,
    read_manifest,
)

SHA = 'a' * 64
MINIMAL = {
    'format': 1, 'name': 'mini', 'trained': True, 'parts': {
        'diffusion': {'layout': 'diffusers',
                      'hub': {'repo': 'acme/mini', 'revision': 'v1'},
                      'files': [{'path': 'unet/config.json'}]},
        'clip': {'layout': 'transformers',
                 'files': [{'path': 'config.json', 'sha256': SHA, 'size': 3}]}}}


def changed(change):
    values = copy.deepcopy(MINIMAL)
    change(values)
    return values


def test_parse_fills_defaults():
    bundle = parse_manifest(MINIMAL)
    assert bundle.part('diffusion').folder == 'diffusion'
    assert bundle.part('diffusion').hub.revision == 'v1'
    assert bundle.part('sam') is None
    assert list(bundle.files()) == ['diffusion/unet/config.json', 'clip/config.json']


def test_manifest_values_are_read_back_the_same():
    bundle = parse_manifest(MINIMAL | {'overrides': {'onboard': {'selection': {'alpha': 0.2}}}})
    assert parse_manifest(json.loads(json.dumps(manifest_values(bundle)))) == bundle


@pytest.mark.parametrize(('change', 'message'), [
    (lambda v: v.pop('name'), "manifest with \\['name'\\], which is missing"),
    (lambda v: v.update(colour='red'), "got \\['colour'\\]"),
    (lambda v: v.update(format=2), 'manifest format 1, got 2'),
    (lambda v: v.update(name='../up'), 'bundle name'),
    (lambda v: v.update(trained='yes'), "true or false, got 'yes'"),
    (lambda v: v.update(trained=False), 'a notice'),
    (lambda v: v['parts'].pop('clip'), "a part 'clip'"),
    (lambda v: v['parts'].update(depth={'layout': 'x'}), "got 'depth'"),
    (lambda v: v['parts']['clip'].update(layout='onnx'), "got 'onnx'"),
    (lambda v: v['parts']['clip'].update(files=[]), 'files in part clip, got none'),
    (lambda v: v['parts']['clip'].update(folder='/etc'), 'inside the bundle'),
    (lambda v: v['parts']['clip']['files'][0].update(path='../x'), 'inside the bundle'),
    (lambda v: v['parts']['clip']['files'][0].update(sha256='A' * 64), '64 lower-case hex'),
    (lambda v: v['parts']['clip']['files'][0].update(size=-1), 'size of config.json'),
    (lambda v: v['parts']['clip']['files'][0].pop('sha256'), 'files that come with'),
    (lambda v: v['parts']['diffusion']['hub'].update(repo='no-owner'), "'owner/name'"),
    (lambda v: v.update(overrides={'onboard': {'selection': {'gamma': 1}}}), "got 'gamma'"),
    (lambda v: v.update(overrides={'fast': {}}), "got 'fast'"),
])
def test_invalid_manifest_is_refused_with_a_reason(change, message):
    with pytest.raises(BundleError, match=message):
        parse_manifest(changed(change))


@pytest.mark.parametrize('suffix', ['.pth', '.pt', '.ckpt', '.bin'])
def test_pickle_without_pinned_sha256_is_refused(suffix):
    path = f'unet/weights{suffix}'
    with pytest.raises(BundleError, match='pickle can carry code'):
        parse_manifest(changed(
            lambda v: v['parts']['diffusion']['files'].append({'path': path})))
    pinned = changed(
        lambda v: v['parts']['diffusion']['files'].append({'path': path, 'sha256': SHA}))
    assert parse_manifest(pinned).part('diffusion').files[1].sha256 == SHA


def test_plain_url_needs_sha256():
    sam = {'layout': 'segment-anything-config', 'url': 'https://example.org/sam',
           'files': [{'path': 'config.json'}]}
    with pytest.raises(BundleError, match='a plain url has no checksum'):
        parse_manifest(changed(lambda v: v['parts'].update(sam=sam)))


def test_sam_checkpoint_needs_a_known_type():
    sam = {'layout': 'segment-anything', 'url': 'https://example.org', 'type': 'vit_x',
           'files': [{'path': 'sam.pth', 'sha256': SHA}]}
    with pytest.raises(BundleError, match="got 'vit_x'"):
        parse_manifest(changed(lambda v: v['parts'].update(sam=sam)))


@pytest.mark.parametrize('url', [
    'file:///etc', 'http://example.org/sam', 'ftp://example.org', 'https://', '/etc',
    'https://me:secret@example.org', 'https://example.org/a?b', 'HTTPS://example.org'])
def test_plain_url_is_https(url):
    sam = {'layout': 'segment-anything', 'url': url, 'type': 'vit_b',
           'files': [{'path': 'sam.pth', 'sha256': SHA}]}
    with pytest.raises(BundleError, match='url of part sam as https://host/folder'):
        parse_manifest(changed(lambda v: v['parts'].update(sam=sam)))


@pytest.mark.parametrize('package', ['/etc', '../x', 'antigravity', 'os', 'En_core', 'a.b_c'])
def test_parser_package_is_a_pipelines_name(package):
    parser = {'layout': 'spacy', 'package': package}
    with pytest.raises(BundleError, match="such as 'en_core_web_sm'"):
        parse_manifest(changed(lambda v: v['parts'].update(parser=parser)))


@pytest.mark.parametrize('path', ['', '.', '/a', 'a/../b', 'a//b', 'a/', 'a\\b'])
def test_path_must_stay_inside(path):
    with pytest.raises(BundleError, match='path'):
        FileSpec(path)


def test_read_manifest_names_the_path(tmp_path):
    with pytest.raises(BundleError, match=f'manifest at {tmp_path}/bundle.json, found none'):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text('{')
    with pytest.raises(BundleError, match='expected JSON in .*bundle.json'):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text('[]')
    with pytest.raises(BundleError, match='bundle.json: expected manifest as a JSON object'):
        read_manifest(tmp_path)


@pytest.mark.parametrize(('name', 'layout', 'kind'), [
    ('sd15_vit_h', 'segment-anything', 'vit_h'), ('sd15_vit_b', 'segment-anything', 'vit_b'),
    ('sd15_sam2_tiny', 'transformers', '')])
def test_known_manifest_is_pinned(name, layout, kind):
    bundle = store.locate(name).bundle
    assert (bundle.name, bundle.trained) == (name, True)
    assert bundle.part('parser') is None
    assert (bundle.part('sam').layout, bundle.part('sam').type) == (layout, kind)
    for part in bundle.parts:
        assert part.hub is None or len(part.hub.revision) == 40
        for file in part.files:
            assert file.sha256 is not None
            assert file.size is not None


def test_known_bundles_differ_in_the_segmentor_alone():
    first, *others = (store.locate(name).bundle for name in (
        'sd15_vit_h', 'sd15_vit_b', 'sd15_sam2_tiny'))
    for other in others:
        assert other.part('diffusion') == first.part('diffusion')
        assert other.part('clip') == first.part('clip')


def test_unknown_bundle_lists_the_known_ones():
    known = "'untrained_mini', 'sd15_sam2_tiny', 'sd15_vit_b', 'sd15_vit_h'"
    with pytest.raises(BundleError, match=f"{known}.*got 'sd99'"):
        store.locate('sd99')


def test_known_name_wins_over_a_folder_of_that_name(monkeypatch, tmp_path):
    (tmp_path / 'sd15_vit_h').mkdir()
    monkeypatch.chdir(tmp_path)
    assert store.locate('sd15_vit_h').bundle.name == 'sd15_vit_h'
    with pytest.raises(BundleError, match='found none'):
        store.locate('./sd15_vit_h')


def test_revision_belongs_to_a_hub_id(tmp_path):
    with pytest.raises(BundleError, match='belongs to a bundle on the hub'):
        store.locate('sd15_vit_h', revision='main')


def test_home_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.delenv('REFDIFF_HOME', raising=False)
    assert store.home() == tmp_path / 'refdiff_ros'
    monkeypatch.setenv('REFDIFF_HOME', str(tmp_path / 'mine'))
    assert store.home() == tmp_path / 'mine'
