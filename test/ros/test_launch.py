"""The launch files, by launch_testing; skipped where launch_ros is not installed."""

import importlib
from pathlib import Path

import pytest

launch_ros = pytest.importorskip(
    'launch_ros', reason='launch_ros is not installed: it comes with a full ROS installation')
launch_testing = pytest.importorskip('launch_testing', reason='launch_testing is not installed')
from launch import LaunchContext, LaunchDescription  # noqa: E402
from launch.actions import IncludeLaunchDescription, LogInfo  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402

LAUNCH = Path(__file__).resolve().parents[2] / 'launch'


def loaded(name: str, **arguments: str) -> tuple[LaunchContext, list]:
    """A launch file's entities with its arguments set and its functions run."""
    context = LaunchContext()
    context.launch_configurations.update(arguments)
    source = PythonLaunchDescriptionSource(str(LAUNCH / f'{name}.launch.py'))
    description: LaunchDescription = source.get_launch_description(context)
    entities = []
    for entity in description.entities:
        entities += entity.visit(context) or []
    return context, entities


@pytest.mark.parametrize('name', ['launch_refdiff', 'launch_hardware', 'launch_sim'])
def test_what_is_launched_works_with_its_arguments_and_ends_cleanly(name):
    from launch_testing.loader import LoadTestsFromPythonModule
    from launch_testing.test_runner import LaunchTestRunner

    runs = LoadTestsFromPythonModule(importlib.import_module(name), name=name)
    results = LaunchTestRunner(runs).run()
    assert all(result.wasSuccessful() for result in results.values()), [
        result.errors + result.failures for result in results.values()]
    assert sum(result.testsRun for result in results.values()) == 2


@pytest.mark.parametrize(('driver', 'camera', 'image', 'depth'), [
    ('realsense2_camera', '', '/camera/camera/color/image_raw',
     '/camera/camera/aligned_depth_to_color/image_raw'),
    ('depthai_ros_driver', '/left_oak', '/left_oak/rgb/image_raw', '/left_oak/stereo/image_raw'),
    ('orbbec_camera', '', '/camera/color/image_raw', '/camera/depth/image_raw'),
    ('usb_cam', '', '/image_raw', None),
    ('zed_wrapper', '', '/zed/zed_node/rgb/color/rect/image',
     '/zed/zed_node/depth/depth_registered'),
    ('ros_gz_bridge', '/head', '/head/image', '/head/depth_image'),
])
def test_a_driver_by_name_gives_its_topics(driver, camera, image, depth):
    _, entities = loaded('hardware', driver=driver, camera=camera)
    include = next(e for e in entities if isinstance(e, IncludeLaunchDescription))
    arguments = dict(include.launch_arguments)
    assert arguments['image'] == image
    assert arguments.get('depth') == depth


@pytest.mark.parametrize('name', ['refdiff', 'hardware', 'sim', 'follow'])
def test_every_argument_is_described(name):
    source = PythonLaunchDescriptionSource(str(LAUNCH / f'{name}.launch.py'))
    arguments = source.get_launch_description(LaunchContext()).get_launch_arguments()
    assert arguments
    assert all(argument.description for argument in arguments)


def node_of(name: str, **arguments: str):
    """The refdiff node that a launch file starts, and the context that it is in."""
    context, entities = loaded(name, **arguments)
    return context, next(e for e in entities if isinstance(e, launch_ros.actions.Node))


def test_a_sentence_in_place_of_a_topic_is_told():
    with pytest.raises(ValueError, match="name of a topic as expression.*got 'the red mug'.*ask"):
        loaded('refdiff', expression='the red mug')


def test_a_params_file_that_is_not_there_is_told():
    with pytest.raises(FileNotFoundError, match='params_file, found none at /nowhere.yaml'):
        loaded('refdiff', params_file='/nowhere.yaml')


@pytest.mark.parametrize('robot', ['sim', 'hardware'])
def test_what_the_follower_is_given_reaches_both_nodes(robot):
    context, entities = loaded(
        'follow', robot=robot, rectified='true', use_sim_time='true', respawn='true',
        image_transport='compressed', log_level='debug')
    include = next(e for e in entities if isinstance(e, IncludeLaunchDescription))
    passed = dict(include.launch_arguments)
    assert {name: passed[name] for name in (
        'rectified', 'use_sim_time', 'respawn', 'image_transport', 'log_level')} == {
            'rectified': 'true', 'use_sim_time': 'true', 'respawn': 'true',
            'image_transport': 'compressed', 'log_level': 'debug'}
    follower = next(e for e in entities if isinstance(e, launch_ros.actions.Node)
                    and e._Node__node_executable == 'follow_server')
    assert follower._ExecuteLocal__respawn is True
    values = {}
    for each in launch_ros.utilities.evaluate_parameters(context, follower._Node__parameters):
        values |= each if isinstance(each, dict) else {}
    assert (values['rectified'], values['use_sim_time']) == (True, True)


def test_log_level_and_respawn_reach_the_process():
    context, node = node_of('refdiff', log_level='debug', respawn='true')
    assert node._ExecuteLocal__respawn is True
    assert {'on_hang': 'exit'} in values_of(context, node)
    context, node = node_of('refdiff')
    assert node._ExecuteLocal__respawn is False
    assert {'on_hang': 'exit'} not in values_of(context, node)


def test_a_step_may_take_as_long_as_is_said():
    context, node = node_of('refdiff', step_timeout='3')
    assert {'step_timeout': 3.0} in values_of(context, node)
    _, entities = loaded('sim', step_timeout='3')
    include = next(e for e in entities if isinstance(e, IncludeLaunchDescription))
    assert dict(include.launch_arguments)['step_timeout'] == '3'


def test_an_argument_with_a_slip_of_the_pen_is_told():
    context, entities = loaded('refdiff', bundel='x', robot='sim', camera='/left')
    said = [''.join(part.perform(context) for part in entity.msg)
            for entity in entities if isinstance(entity, LogInfo)]
    assert said == ["launch argument 'bundel' has no effect: did you mean 'bundle'?"]


def values_of(context, node) -> list:
    """A node's parameters: dictionaries, and paths of files."""
    return [dict(each) if isinstance(each, dict) else each
            for each in launch_ros.utilities.evaluate_parameters(context, node._Node__parameters)]


@pytest.mark.parametrize(('namespace', 'camera'), [
    ('', '/camera'), ('robot', '/robot/camera'), ('/fleet/robot', '/fleet/robot/camera')])
def test_namespace_and_time_reach_the_simulated_camera_too(namespace, camera):
    context, entities = loaded('sim', namespace=namespace, use_sim_time='true')
    include = next(e for e in entities if isinstance(e, IncludeLaunchDescription))
    arguments = dict(include.launch_arguments)
    assert arguments['image'] == f'{camera}/color/image_raw'
    assert (arguments['namespace'], arguments['use_sim_time']) == (namespace, 'true')
    node = next(e for e in entities if isinstance(e, launch_ros.actions.Node))
    assert node._Node__node_namespace == camera
    (values,) = launch_ros.utilities.evaluate_parameters(context, node._Node__parameters)
    assert values == {'seed': 0, 'use_sim_time': True}


@pytest.mark.parametrize(('driver', 'name', 'value'), [
    ('ros_gz_bridge', 'use_sim_time', 'true'), ('zed_wrapper', 'rectified', 'true'),
    ('usb_cam', 'use_sim_time', '')])
def test_what_a_driver_brings_with_it(driver, name, value):
    _, entities = loaded('hardware', driver=driver)
    include = next(e for e in entities if isinstance(e, IncludeLaunchDescription))
    assert dict(include.launch_arguments)[name] == value
