"""The RViz and Foxglove files name topics, frames and fields that there are."""

import json
from pathlib import Path

from web_answers import ambiguous
import yaml

from refdiff_ros.msg import ReferringMask
from refdiff_ros.ros import topics
from refdiff_ros.ros.markers import marker_array
from refdiff_ros.sim.render import FRAME_ID

_CONFIG = Path(__file__).parents[2] / 'config'
_TYPES = {'Image': 'sensor_msgs/msg/Image', 'MarkerArray': 'visualization_msgs/msg/MarkerArray'}


def _published() -> dict[str, str]:
    """Full name to type of all topics, the names being those of `sim.launch.py`."""
    found = {}
    for rows, node, namespace in ((topics.NODE, '/refdiff', ''),
                                  (topics.CAMERA, '/camera/tabletop_camera', '/camera')):
        for row in rows:
            name = row.name.replace('~', node) if row.name.startswith('~') else \
                row.name if row.name.startswith('/') else f'{namespace}/{row.name}'
            found[name] = row.type
    return found


def _rviz() -> dict:
    return yaml.safe_load((_CONFIG / 'refdiff.rviz').read_text())['Visualization Manager']


def test_rviz_shows_camera_overlay_and_markers_with_the_right_types():
    shown = {}
    for display in _rviz()['Displays']:
        if 'Topic' in display:
            assert display['Enabled'] is display['Value'] is True
            shown[display['Topic']['Value']] = display['Class'].rpartition('/')[2]
    assert set(shown) == {'/camera/color/image_raw', '/refdiff/overlay', '/refdiff/markers'}
    for topic, kind in shown.items():
        assert _published()[topic] == _TYPES[kind]


def test_rviz_hears_a_camera_that_sends_with_best_effort():
    camera = next(d for d in _rviz()['Displays'] if d['Name'] == 'Camera')
    assert camera['Topic']['Reliability Policy'] == 'Best Effort'


def test_rviz_s_frame_and_namespaces_are_those_of_the_markers():
    assert _rviz()['Global Options']['Fixed Frame'] == FRAME_ID
    answer = next(d for d in _rviz()['Displays'] if d['Name'] == 'Answer')
    drawn = {marker.ns for marker in marker_array(ambiguous()).markers} - {''}
    assert set(answer['Namespaces']) == drawn


def _strings(value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *_strings(item))
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, str):
        yield value


def test_foxglove_names_topics_and_fields_that_there_are():
    layout = json.loads((_CONFIG / 'foxglove_layout.json').read_text())
    named = {text for text in _strings(layout['configById']) if text.startswith('/')}
    assert {'/refdiff/overlay', '/refdiff/markers', '/camera/color/image_raw'} <= named
    for text in named:
        topic, _, field = text.partition('.')
        assert topic in _published(), text
        if field:
            assert _published()[topic] == 'refdiff_ros/msg/ReferringMask'
            assert field in ReferringMask.get_fields_and_field_types()
    ask = layout['configById']['Publish!expression']
    assert ask['datatype'] == _published()[ask['topicName']]
    assert list(json.loads(ask['value'])) == ['data']


def test_foxglove_s_layout_places_each_panel_once():
    layout = json.loads((_CONFIG / 'foxglove_layout.json').read_text())

    def leaves(part):
        if isinstance(part, str):
            return [part]
        assert part['direction'] in ('row', 'column') and 0 < part['splitPercentage'] < 100
        return leaves(part['first']) + leaves(part['second'])
    assert sorted(leaves(layout['layout'])) == sorted(layout['configById'])
