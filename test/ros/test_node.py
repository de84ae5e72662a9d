"""The running node: service, standing expression, lifecycle, parameters, diagnostics."""

from dataclasses import replace
import time

import numpy as np
from pytest import fixture
from ros_graph import camera_info, image, picture, running, wait_for
from sensor_msgs.msg import CompressedImage, Image

from refdiff_ros.config import CalibrationConfig, FitWeights
from refdiff_ros.matching.calibration_file import CalibrationFile, write_calibration
from refdiff_ros.models.store import UNTRAINED
from refdiff_ros.models.untrained import build_untrained
from refdiff_ros.models.weights_digest import weights_sha256
from refdiff_ros.msg import ReferringMask
from refdiff_ros.ros.conversions import image_message

ANSWERED = (ReferringMask.FOUND, ReferringMask.NOT_FOUND, ReferringMask.AMBIGUOUS)


@fixture(scope='module')
def running_client():
    with running({'max_rate': 100.0, 'max_age': 600.0}) as (_, client):
        yield client


@fixture
def client(running_client):
    """Nothing stands when a test begins, whatever became of the one before."""
    yield running_client
    running_client.say('')


def depth_like(msg: Image, metres: float = 0.6) -> Image:
    """Flat depth for an image message."""
    return image_message(np.full((msg.height, msg.width), metres, np.float32), '32FC1',
                         msg.header)


def test_a_call_with_an_image_is_answered_on_that_image(client):
    asked = image()
    response = client.call('the red box', asked)
    assert response.status in ANSWERED
    assert response.status == response.mask.status == response.grasp.status
    assert response.mask.header == response.grasp.header == asked.header
    assert response.mask.mask.header == asked.header
    assert (response.mask.mask.height, response.mask.mask.width) == (96, 128)
    assert response.mask.mask.encoding == 'mono8'
    assert set(response.mask.mask.data) <= {0, 255}
    assert response.mask.expression == 'the red box'
    assert response.mask.root == 'box'
    assert (response.mask.bundle, response.mask.preset, response.mask.mode) == (
        'untrained_mini', 'onboard', 'full')
    assert 0 < response.mask.model_ms <= response.mask.latency_ms


def test_the_mask_agrees_with_its_area_and_box(client):
    for seed in range(4):
        mask = client.call('the red box', image(picture(seed=seed))).mask
        pixels = np.frombuffer(mask.mask.data, np.uint8).reshape(96, 128) > 0
        assert mask.area == pixels.sum()
        if mask.area:
            rows, columns = np.nonzero(pixels)
            assert (mask.box.x_offset, mask.box.y_offset) == (columns.min(), rows.min())
            assert mask.box.width == columns.max() - columns.min() + 1
            assert mask.candidates[0].box == mask.box and not mask.candidates[0].mask.data


def test_a_call_may_leave_the_masks_out(client):
    asked = image()
    full = client.call('the red box', asked)
    short = client.call('the red box', asked, without_masks=True)
    assert full.mask.mask.data and not short.mask.mask.data
    assert not short.grasp.contour.points and len(str(short)) < 6000
    assert (short.status, short.mask.box, short.mask.score) == (
        full.status, full.mask.box, full.mask.score)


def test_the_same_question_has_the_same_answer(client):
    asked = image()
    first, second = client.call('the red box', asked), client.call('the red box', asked)
    assert first.mask.mask.data == second.mask.mask.data
    assert first.mask.confidence == second.mask.confidence


def test_untrained_weights_are_named_in_every_answer(client):
    notes = ' '.join(client.call('the red box', image()).mask.notes)
    assert 'untrained' in notes or 'random' in notes


def test_the_newest_frame_answers_a_call_without_an_image(client):
    asked = image(picture(seed=3))
    client.publish('image', asked)
    response = wait_for_frame(client, asked)
    assert response.mask.header == asked.header


def wait_for_frame(client, asked):
    """Call until the node has the frame; its answer."""
    def answered():
        client.publish('image', asked)
        response = client.call('the red box')
        return response if response.mask.header == asked.header else None
    return wait_for(answered)


def test_each_new_frame_is_answered_while_an_expression_stands(client):
    client.say('the blue box')
    client.masks.clear()
    client.grasps.clear()
    for second in (100, 101, 102):
        sent = image(picture(seed=second), second)
        client.publish('image', sent)
        wait_for(lambda sent=sent: any(m.header == sent.header for m in client.masks))
    assert all(mask.expression == 'the blue box' for mask in client.masks)
    # Masks and grasp regions come on topics of their own, in whatever order.
    wait_for(lambda: {g.header.stamp.sec for g in client.grasps} == {
        m.header.stamp.sec for m in client.masks})
    # One frame, one answer.
    stamps = [mask.header.stamp.sec for mask in client.masks]
    assert len(stamps) == len(set(stamps))


def test_depth_that_a_slow_camera_sends_after_its_image_is_used(client):
    client.say('the blue box')

    def has_depth(second):
        sent = image(picture(seed=second), second)
        client.publish('image', sent)
        client.publish('depth', depth_like(sent))
        answer = wait_for(lambda: next(
            (m for m in client.masks if m.header == sent.header), None))
        time.sleep(0.3)  # a frame of long ago is no better for having depth
        return not any('depth was left out' in note for note in answer.notes)
    # A busy machine may bring depth later than the node waits for it; it catches up.
    in_time = [has_depth(second) for second in range(150, 154)]
    while sum(in_time) < 3 and len(in_time) < 20:
        in_time.append(has_depth(150 + len(in_time)))
    assert sum(in_time) >= 3
    # Each frame was answered once.
    seconds = [m.header.stamp.sec for m in client.masks if 150 <= m.header.stamp.sec < 170]
    assert seconds == [150 + k for k in range(len(in_time))]


def test_depth_that_does_not_fit_in_time_or_size_is_said_with_the_answer(client):
    asked = image()
    small = depth_like(image(picture(48, 64)))
    notes = ' '.join(client.call('the red box', asked, small, camera_info()).mask.notes)
    assert 'depth was left out' in notes and '128x96, got 64x48' in notes
    client.say('the blue box')
    late = image(picture(), 170)
    late.header.stamp.nanosec = 500_000_000
    before = int(client.fresh('inputs')['depth received'])
    client.publish('depth', depth_like(late))
    client.fresh('inputs', lambda values: int(values['depth received']) > before)
    sent = image(picture(), 170)
    client.publish('image', sent)
    wait_for(lambda: any(m.header == sent.header for m in client.masks))
    answered = next(m for m in client.masks if m.header == sent.header)
    assert any('depth was left out' in note and '+500.0 ms' in note for note in answered.notes)
    wait_for(lambda: 'depth was left out' in client.diagnosis('answers')[1]['last notes'])


def test_a_new_expression_is_answered_on_the_frame_there_is(client):
    client.say('the blue box')
    sent = image(picture(), 200)
    client.publish('image', sent)
    wait_for(lambda: any(m.header == sent.header for m in client.masks))
    client.say('the red box')
    wait_for(lambda: any(m.header == sent.header and m.expression == 'the red box'
                         for m in client.masks))


def test_an_empty_expression_ends_the_answers(client):
    client.say('the blue box')
    client.publish('image', image(stamp=300))
    wait_for(lambda: client.masks and client.masks[-1].header.stamp.sec == 300)
    client.say('')
    client.wait_for_silence('no standing expression')
    before = int(client.fresh('inputs')['image received'])
    client.publish('image', image(stamp=301))
    client.fresh('inputs', lambda values: int(values['image received']) > before)
    assert client.call('the red box').mask.header.stamp.sec == 301  # it would have been answered
    assert client.masks[-1].header.stamp.sec == 300


def test_pictures_for_people_come_once_somebody_listens(client):
    pictures = {name: [] for name in ('mask_image', 'overlay', 'attention')}
    for name, into in pictures.items():
        client.listen(Image, f'refdiff/{name}', into)
    client.say('the red box')

    def all_came():
        client.publish('image', image())
        time.sleep(0.1)
        return all(pictures.values())
    wait_for(all_came, message=lambda: str({k: len(v) for k, v in pictures.items()}))
    client.say('')
    for name, encoding in (('mask_image', 'mono8'), ('overlay', 'rgb8'), ('attention', 'rgb8')):
        msg = pictures[name][-1]
        assert (msg.encoding, msg.height, msg.width) == (encoding, 96, 128)
        assert msg.header.frame_id == 'camera_optical'


def test_depth_that_does_not_match_costs_no_mask(client):
    client.say('the red box')
    client.grasps.clear()
    sent = image(stamp=400)
    depth, camera = depth_like(image(stamp=390)), camera_info(stamp=400)

    def answered():
        # More than once, as a camera does: the node may be subscribing anew when the first comes.
        client.publish('depth', depth)
        client.publish('camera_info', camera)
        client.publish('image', sent)
        time.sleep(0.3)
        return [g for g in client.grasps if g.header == sent.header
                and g.pose_status in (g.POSE_DEPTH_MISMATCH, g.POSE_NO_REGION)]
    grasp = wait_for(answered)[0]
    client.say('')
    assert grasp.pose_reason
    assert any(m.header == sent.header and m.status in ANSWERED for m in client.masks)


def test_tunable_parameters_count_from_the_next_answer(client):
    asked = image()
    assert client.call('the red box', asked).mask.mode == 'full'
    assert client.set_parameter('mode', 'G').successful
    assert client.call('the red box', asked).mask.mode == 'G'
    assert client.set_parameter('mode', 'full').successful


def test_fewer_pixels_and_another_preset_count_from_the_next_answer(client):
    def asked_with(**values):
        for name, value in values.items():
            assert client.set_parameter(name, value).successful
        mask = client.call('the red box', asked).mask
        assert mask.status in ANSWERED
        return mask.preset, any('(max_megapixels)' in note for note in mask.notes)
    asked = image()
    assert asked_with() == ('onboard', False)
    assert asked_with(max_megapixels=0.01) == ('onboard', True)
    assert asked_with(preset='paper') == ('paper', True)
    assert asked_with(preset='onboard', max_megapixels=2.1) == ('onboard', False)


def test_invalid_parameters_are_refused_with_a_reason(client):
    result = client.set_parameter('mode', 'H')
    assert not result.successful
    assert "got 'H'" in result.reason
    result = client.set_parameter('max_rate', -5.0)
    assert not result.successful
    assert result.reason
    result = client.set_parameter('bundle', 'another')
    assert not result.successful
    assert "run 'cleanup' first" in result.reason
    assert client.set_parameter('max_rate', 50).successful  # a whole number will do
    assert client.call('the red box', image()).status in ANSWERED


def test_diagnostics_tell_what_is_loaded_and_what_comes(client):
    message, values = client.diagnosis('models')
    assert message.startswith("loaded: bundle 'untrained_mini'")
    assert values['state'] == 'loaded'
    assert float(values['resident memory MB']) > 10
    _, values = client.diagnosis('inputs')
    assert values['image topic'] == '/image'
    assert values['image qos'].startswith(('reliable', 'best_effort'))


def test_the_reason_for_silence_names_a_wrong_encoding(client):
    client.say('the red box')

    def send():
        msg = image()
        msg.encoding = 'nonsense8'
        client.publish('image', msg)
        return "got 'nonsense8'" in client.diagnosis('answers')[1]['reason for silence']
    wait_for(send)
    client.publish('image', image())
    client.say('')


def test_compressed_images_after_deactivation(client):
    assert client.transition('deactivate')
    assert client.state() == 'inactive'
    client.wait_for_silence("the node is 'inactive'")
    assert client.call('the red box', image()).status == ReferringMask.INACTIVE
    assert client.set_parameter('image_transport', 'compressed').successful
    assert client.transition('activate')
    import cv2
    _, data = cv2.imencode('.png', picture(seed=9)[..., ::-1])
    sent = CompressedImage(header=image().header, format='png', data=data.tobytes())

    def answered():
        client.publish('image/compressed', sent)
        return client.call('the red box').mask.header == sent.header
    wait_for(answered)
    assert client.transition('deactivate')
    assert client.set_parameter('image_transport', 'raw').successful
    assert client.transition('activate')


def test_each_lifecycle_state_answers_the_service(client):
    assert client.transition('deactivate')
    response = client.call('the red box', image())
    assert response.status == ReferringMask.INACTIVE
    assert 'activate' in response.reason
    assert client.transition('cleanup')
    assert client.state() == 'unconfigured'
    response = client.call('the red box', image())
    assert response.status == ReferringMask.INACTIVE
    assert 'configure' in response.reason
    assert not client.transition('activate')  # not without models
    assert client.set_parameter('bundle', 'there_is_no_such_bundle').successful
    assert not client.transition('configure')
    assert client.state() == 'unconfigured'
    assert 'there_is_no_such_bundle' in client.call('the red box', image()).reason
    client.wait_for_silence('models failed')
    assert client.set_parameter('bundle', 'untrained_mini').successful
    assert client.transition('configure')
    assert client.transition('activate')
    assert client.call('the red box', image()).status in ANSWERED


def test_a_calibration_decides_for_what_it_was_made_and_is_refused_for_anything_else(
        client, tmp_path):
    made = CalibrationFile(
        'untrained_mini', weights_sha256(UNTRAINED, build_untrained()), 'onboard', 'full',
        {'name': 'kitchen'}, CalibrationConfig('full', FitWeights(bias=-5.0), not_found_below=0.5))
    write_calibration(tmp_path / 'made.json', made)
    write_calibration(tmp_path / 'other.json', replace(made, bundle='sd15_vit_h'))
    assert client.transition('deactivate') and client.transition('cleanup')
    assert client.set_parameter('calibration', str(tmp_path / 'other.json')).successful
    assert not client.transition('configure')
    client.wait_for_silence("is for 'sd15_vit_h'")
    assert client.set_parameter('calibration', str(tmp_path / 'made.json')).successful
    assert client.transition('configure') and client.transition('activate')
    answer = client.call('the red box', image())
    assert answer.status == ReferringMask.NOT_FOUND and answer.mask.calibrated
    refused = client.set_parameter('mode', 'DS')
    assert not refused.successful and "is for 'full'" in refused.reason
    assert client.transition('deactivate') and client.transition('cleanup')
    assert client.set_parameter('calibration', '').successful
    assert client.transition('configure') and client.transition('activate')
    assert not client.call('the red box', image()).mask.calibrated
