"""Parameters as they come from files and command lines, on a bare node of rclpy."""

from contextlib import contextmanager

from pytest import mark, raises
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from ros_graph import NODE
from warm_start import warm_run

from refdiff_ros.errors import BadRequestError
from refdiff_ros.ros import parameters


@contextmanager
def node(*arguments):
    context = Context()
    rclpy.init(context=context)
    made = Node('refdiff', context=context, cli_args=['--ros-args', *arguments])
    try:
        yield made
    finally:
        made.destroy_node()
        rclpy.shutdown(context=context)


def test_a_whole_number_for_a_fraction_is_a_fraction_from_the_start():
    with node('-p', 'max_rate:=5') as made:
        assert parameters.declare(made).max_rate == 5.0
        assert made.get_parameter('max_rate').type_ == Parameter.Type.DOUBLE
        made.add_pre_set_parameters_callback(parameters.with_floats)
        (result,) = made.set_parameters([Parameter('max_rate', value=7)])
        assert result.successful
        found = made.get_parameter('max_rate')
        assert (found.type_, found.value) == (Parameter.Type.DOUBLE, 7.0)
        made.set_parameters([Parameter('queue_size', value=3)])
        assert made.get_parameter('queue_size').type_ == Parameter.Type.INTEGER


@mark.parametrize(('wrong', 'meant'), [
    ('bundel', 'bundle'), ('max_rates', 'max_rate'), ('image_transprt', 'image_transport')])
def test_a_name_that_is_nearly_a_parameter_keeps_the_node_from_starting(wrong, meant):
    with (node('-p', f'{wrong}:=5') as made,
          raises(BadRequestError, match=f"got '{wrong}': did you mean '{meant}'")):
        parameters.declare(made)


def test_a_token_as_a_parameter_keeps_the_node_from_starting():
    with (node('-p', 'web_token:=a token long enough') as made,
          raises(BadRequestError, match="'web_token' is a parameter no longer: .*"
                                        'set web_token_file to its path')):
        parameters.declare(made)


def test_other_nodes_parameters_are_told_and_rclpys_are_known():
    given = ['use_sim_time', 'qos_overrides./image.subscription.depth', 'bundle', 'rgb_camera.fps']
    assert parameters.unknown_names(given, parameters.BY_NAME) == ('rgb_camera.fps',)
    with node('-p', 'rgb_camera.fps:=30') as made:
        parameters.declare(made)


@mark.parametrize(('text', 'words'), [
    ('refdiff:\n  bundle: x\n', "below the node's name and 'ros__parameters:'"),
    (None, 'params.yaml'),
    ('refdiff:\n  ros__parameters:\n    bundel: x\n', "did you mean 'bundle'?"),
])
def test_a_params_file_that_cannot_be_used_is_one_sentence(tmp_path, text, words):
    path = tmp_path / 'params.yaml'
    if text is not None:
        path.write_text(text)
    done = warm_run([str(NODE), '--ros-args', '--params-file', str(path)], timeout_s=280)
    assert done.returncode == 2
    assert words in done.stderr and 'Traceback' not in done.stderr
    assert sum(line.startswith('refdiff: the node cannot start: expected')
               for line in done.stderr.splitlines()) == 1


def test_a_topic_with_spaces_is_one_sentence():
    done = warm_run([str(NODE), '--ros-args', '-r', 'expression:=the red mug'], timeout_s=280)
    assert done.returncode == 2
    assert 'A topic has no spaces in its name' in done.stderr and 'Traceback' not in done.stderr
