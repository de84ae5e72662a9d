"""A step that does not end: it is reported, its call answered, and the process ends in time."""

import signal
import time

from diagnostic_msgs.msg import DiagnosticStatus
from pytest import fixture, mark, param
from ros_graph import GraphClient, image, NodeProcess, picture, ROOT, wait_for

from refdiff_ros.msg import ReferringMask

HANGING = ROOT / 'test' / 'hanging_node.py'
ANSWERED = (ReferringMask.FOUND, ReferringMask.NOT_FOUND, ReferringMask.AMBIGUOUS)
LIMIT_S = 2.0
# More than the promised five seconds: the machine of the tests has other work.
END_S = 20.0
GUARDED = 128 + signal.SIGKILL, -signal.SIGKILL


@fixture
def hanging(client):
    """A node whose steps may take two seconds once the models are loaded."""
    node = NodeProcess({'service_timeout': 120.0}, HANGING)
    client.wait_until('active')
    assert client.call('the red box', image()).status in ANSWERED
    assert client.set_parameter('step_timeout', LIMIT_S).successful
    yield node
    node.kill()


@fixture(scope='module')
def survivor():
    """A client of a node that goes on after what the tests of it do."""
    client = GraphClient()
    node = NodeProcess({'service_timeout': 120.0}, HANGING)
    client.wait_until('active')
    assert client.call('the red box', image()).status in ANSWERED
    yield client
    node.kill()
    client.close()


def other():
    """A picture of which nothing is kept."""
    return image(picture(seed=7))


def error_message(client):
    """What /diagnostics says at level ERROR, waited for."""
    def found():
        return next((status.message for report in list(client.diagnostics)
                     for status in report.status if status.level == DiagnosticStatus.ERROR), '')
    return wait_for(found, message=lambda: 'no ERROR in /diagnostics')


def test_a_step_that_hangs_is_reported_and_its_call_answered(client, hanging):
    asked = client.call_async('fault hang sam_encoder', other())
    first = client.result(asked)
    assert first.status == ReferringMask.TIMEOUT
    assert "the step 'sam_encoder' hangs" in first.reason
    assert "the step 'sam_encoder' hangs" in error_message(client)
    # Further calls are refused at once, and cleanup does not wait.
    second = client.call('the red box', image())
    assert second.status == ReferringMask.INTERNAL
    assert "'sam_encoder'" in second.reason
    assert client.transition('deactivate')
    assert not client.transition('cleanup')
    assert client.state() == 'inactive'
    hanging.signal(signal.SIGTERM)
    assert hanging.wait(END_S) == 0
    assert 'the models cannot be freed' in hanging.output


@mark.parametrize('number', [param(signal.SIGINT, marks=mark.slow), signal.SIGTERM])
def test_a_signal_ends_a_node_whose_step_hangs(client, hanging, number):
    assert client.set_parameter('step_timeout', 600.0).successful
    asked = client.call_async('fault hang vae', other())
    hanging.wait_for_output('fault hang vae begins')
    hanging.signal(number)
    assert hanging.wait(END_S) == 0
    ended = client.result(asked)
    assert ended.status == ReferringMask.INACTIVE
    assert "did not wait for the step 'vae'" in ended.reason


def test_a_step_that_ends_after_all_is_answered_from_then_on(client, tmp_path):
    slow = tmp_path / 'slow'
    slow.touch()
    node = NodeProcess({}, HANGING, environment={'REFDIFF_TEST_SLOW': str(slow)})
    client.wait_until('active')
    assert client.call('the red box', image()).status in ANSWERED
    assert client.set_parameter('step_timeout', LIMIT_S).successful
    assert client.call('fault slow clip_text', other()).status == ReferringMask.TIMEOUT
    slow.unlink()
    wait_for(lambda: client.call('the red box', image()).status in ANSWERED)
    node.wait_for_output('has ended after all')
    assert client.fresh('answers')['reason for silence'].startswith('no publisher')
    assert node.stop() == 0


def test_on_hang_exit_ends_the_process_with_its_own_status(client, hanging):
    assert client.set_parameter('on_hang', 'exit').successful
    assert client.call('fault hang unet', other()).status == ReferringMask.TIMEOUT
    assert hanging.wait(END_S) == 70


def test_a_step_that_holds_the_interpreter_ends_the_process(client, hanging):
    client.call_async('fault lock sam_prompts', other())
    assert hanging.wait(END_S) in GUARDED
    assert "the step 'sam_prompts' has held the interpreter" in hanging.output
    assert '_lock' in hanging.output  # the stack
    assert "the step 'sam_prompts'" in error_message(client)


@mark.parametrize('number', [param(signal.SIGINT, marks=mark.slow), signal.SIGTERM])
def test_a_signal_ends_a_node_whose_step_holds_the_interpreter(client, hanging, number):
    assert client.set_parameter('step_timeout', 600.0).successful
    client.call_async('fault lock unet', other())
    hanging.wait_for_output('fault lock unet begins')
    began_s = time.monotonic()
    hanging.signal(number)
    assert hanging.wait(END_S) in GUARDED
    assert time.monotonic() - began_s > 3.0  # the step was given time
    assert 'after a signal' in hanging.output


def test_a_system_exit_in_a_step_is_an_internal_error(survivor):
    answer = survivor.call('fault exit clip_text', other())
    assert answer.status == ReferringMask.INTERNAL
    assert 'SystemExit' in answer.reason
    assert survivor.call('the red box', image()).status in ANSWERED


@mark.parametrize('stage', ['parse', 'unet', 'grasp', 'messages'])
def test_no_memory_is_said_wherever_it_happens(survivor, stage):
    answer = survivor.call(f'fault memory {stage}', other())
    assert answer.status == ReferringMask.OUT_OF_MEMORY, answer.reason
    assert survivor.call('the red box', image()).status in ANSWERED
