"""The heartbeat for a lifecycle manager, with a `bond` package built from its message alone."""

import os
from pathlib import Path
import subprocess
import sys

from pytest import fixture, mark
from ros_graph import GraphClient, image, NodeProcess, picture, ROOT

HANGING = ROOT / 'test' / 'hanging_node.py'
_MESSAGE = """std_msgs/Header header
string id
string instance_id
bool active
float32 heartbeat_timeout
float32 heartbeat_period
"""
_PACKAGE = """<package format="3"><name>bond</name><version>0.0.0</version>
<description>Of a test.</description><maintainer email="test@example.org">test</maintainer>
<license>BSD</license><buildtool_depend>ament_cmake</buildtool_depend>
<build_depend>rosidl_default_generators</build_depend><depend>std_msgs</depend>
<member_of_group>rosidl_interface_packages</member_of_group>
<export><build_type>ament_cmake</build_type></export></package>
"""
_CMAKE = """cmake_minimum_required(VERSION 3.16)
project(bond)
find_package(ament_cmake REQUIRED)
find_package(rosidl_default_generators REQUIRED)
find_package(std_msgs REQUIRED)
rosidl_generate_interfaces(bond msg/Status.msg DEPENDENCIES std_msgs)
ament_package()
"""


@fixture(scope='module')
def bond_environment(tmp_path_factory):
    """Environment variables with which `bond.msg` imports."""
    given = os.environ.get('REFDIFF_TEST_BOND')  # a workspace's install/bond
    return environment(Path(given) if given else built(tmp_path_factory.mktemp('bond')))


def built(folder: Path) -> Path:
    package = folder / 'src' / 'bond'
    (package / 'msg').mkdir(parents=True)
    (package / 'msg' / 'Status.msg').write_text(_MESSAGE)
    (package / 'package.xml').write_text(_PACKAGE)
    (package / 'CMakeLists.txt').write_text(_CMAKE)
    venv = os.environ['VIRTUAL_ENV']
    clean = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    subprocess.run(
        ['colcon', 'build', '--cmake-args', '-DBUILD_TESTING=OFF',
         f'-DPython3_EXECUTABLE={venv}/bin/python'],
        cwd=folder, check=True, env=clean | {'AMENT_PREFIX_PATH': venv, 'CMAKE_PREFIX_PATH': venv})
    return folder / 'install' / 'bond'


def environment(prefix: Path) -> dict[str, str]:
    def before(name: str, path: Path) -> str:
        return f'{path}:{os.environ.get(name, "")}'.rstrip(':')
    return {'AMENT_PREFIX_PATH': before('AMENT_PREFIX_PATH', prefix),
            'LD_LIBRARY_PATH': before('LD_LIBRARY_PATH', prefix / 'lib'),
            'PYTHONPATH': before(
                'PYTHONPATH', next((prefix / 'lib').glob('python3*')) / 'site-packages')}


class Manager:
    def __init__(self, variables: dict[str, str]):
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / 'test' / 'bond_manager.py')], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env=os.environ | variables)
        assert self.next() == 'ready'

    def next(self) -> str:
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


@fixture
def manager(bond_environment):
    manager = Manager(bond_environment)
    yield manager
    manager.close()


@mark.slow
def test_the_bond_stands_while_the_node_is_active_and_works(bond_environment, manager):
    node = NodeProcess({'autostart': False}, HANGING, environment=bond_environment)
    client = GraphClient()
    try:
        assert client.transition('configure')
        assert client.transition('activate')
        assert manager.next() == 'formed'
        assert client.transition('deactivate')
        assert manager.next() == 'broken'
        # A step that hangs breaks it at once.
        assert client.transition('activate')
        assert manager.next() == 'formed'
        assert client.set_parameter('step_timeout', 2.0).successful
        client.call_async('fault hang vae', image(picture(seed=7)))
        assert manager.next() == 'broken'
    finally:
        client.close()
        node.kill()


@mark.slow
def test_a_node_that_is_killed_falls_silent(bond_environment, manager):
    node = NodeProcess({}, environment=bond_environment)
    try:
        assert manager.next() == 'formed'
        node.kill()
        assert manager.next() == 'silent'
    finally:
        node.kill()
