"""The launch files, by launch_testing; skipped where launch_ros is not installed."""

import importlib
from pathlib import Path

import pytest

launch_ros = pytest.importorskip(
    'launch_ros', reason='launch_ros is not installed: it comes with a full ROS installation')
launch_testing = pytest.importorskip('launch_testing', reason='launch_testing is not installed')
from launch import LaunchContext, LaunchDescription  # noqa: E402
from launch.actions import IncludeLaunchDescription  # noqa: E402
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
])
def test_a_driver_by_name_gives_its_topics(driver, camera, image, depth):
    _, entities = loaded('hardware', driver=driver, camera=camera)
    include = next(e for e in entities if isinstance(e, IncludeLaunchDescription))
    arguments = dict(include.launch_arguments)
    assert arguments['image'] == image
    assert arguments.get('depth') == depth


@pytest.mark.parametrize('name', ['refdiff', 'hardware', 'sim'])
def test_every_argument_is_described(name):
    source = PythonLaunchDescriptionSource(str(LAUNCH / f'{name}.launch.py'))
    arguments = source.get_launch_description(LaunchContext()).get_launch_arguments()
    assert arguments
    assert all(argument.description for argument in arguments)
