"""Bad input to the running node: each is answered with a reason, and the node goes on."""

import array
import time

import cv2
import numpy as np
from pytest import fixture, mark
from ros_graph import header, image, picture, running, wait_for
from sensor_msgs.msg import CompressedImage, Image

from refdiff_ros.msg import ReferringMask

ANSWERED = (ReferringMask.FOUND, ReferringMask.NOT_FOUND, ReferringMask.AMBIGUOUS)
HEIGHT, WIDTH = 96, 128


@fixture(scope='module')
def node_and_client():
    with running({'max_age': 120.0, 'max_rate': 100.0}) as both:
        yield both


@fixture
def client(node_and_client):
    """The client; afterwards the node must be the same process and answer a good call."""
    node, client = node_and_client
    yield client
    response = client.call('the red box', image())
    assert response.status in ANSWERED, response.reason
    assert node.alive


def test_a_call_before_any_frame(client):
    response = client.call('the red box')
    assert response.status == ReferringMask.NO_IMAGE
    assert 'start the camera' in response.reason
    assert (response.mask.mask.height, response.mask.mask.width) == (0, 0)


@mark.parametrize('text', ['', '   ', '\t\n', 'x' * 10_240, 'the red box ' * 900])
def test_expressions_that_cannot_be_used(client, text):
    response = client.call(text, image())
    assert response.status == ReferringMask.BAD_REQUEST
    assert 'expected' in response.reason
    assert len(response.reason) < 1000  # the sentence, not 10 kB of echo
    assert not any(response.mask.mask.data)


@mark.parametrize('text', [
    'la boîte rouge', '红色的盒子', 'красный ящик', '🟥', 'the 🟥 box', '"; drop table',
    'the red\x07box', 'left', 'the', 'quickly', '...', '12', 'the\nred box'])
def test_expressions_out_of_the_ordinary_are_answered_or_refused_with_a_reason(client, text):
    response = client.call(text, image())
    assert response.status in (*ANSWERED, ReferringMask.BAD_REQUEST), response.reason
    assert response.reason or response.status == ReferringMask.FOUND


def test_an_expression_without_a_noun_is_said_to_have_none(client):
    response = client.call('on the left', image())
    text = response.reason + ' '.join(response.mask.notes)
    assert 'noun' in text


def raw(encoding: str, data: bytes, height: int = HEIGHT, width: int = WIDTH, step: int = 0,
        big_endian: bool = False) -> Image:
    return Image(header=header(), encoding=encoding, height=height, width=width, step=step,
                 is_bigendian=int(big_endian), data=array.array('B', data))


RGB = picture()


@mark.parametrize(('bad', 'words'), [
    (raw('rgb8', b'', 0, 5), '5x0'),
    (raw('rgb8', b'\1\2\3', 1, 1, 3), '1x1'),
    (raw('rgb8', RGB.tobytes()[:-1000], step=3 * WIDTH), 'cut off'),
    (raw('rgb8', RGB.tobytes(), step=WIDTH), 'step'),
    (raw('rgb8', RGB.tobytes(), height=2**30, step=3 * WIDTH), 'expected an image'),
    (raw('nonsense', RGB.tobytes(), step=3 * WIDTH), "'nonsense'"),
    (raw('', RGB.tobytes(), step=3 * WIDTH), "got ''"),
    (raw('32FC1', bytes(4 * HEIGHT * WIDTH), step=4 * WIDTH), 'check the remappings'),
], ids=['zero', 'one-pixel', 'truncated', 'step', 'huge-size', 'encoding', 'no-encoding', 'depth'])
def test_images_that_cannot_be_used(client, bad, words):
    response = client.call('the red box', bad)
    assert response.status == ReferringMask.BAD_REQUEST
    assert words in response.reason
    assert response.mask.header == bad.header


def padded() -> Image:
    rows = np.hstack([RGB.reshape(HEIGHT, -1), np.full((HEIGHT, 32), 99, np.uint8)])
    return raw('rgb8', rows.tobytes(), step=rows.shape[1])


@mark.parametrize('odd', [
    padded(),
    raw('mono16', (RGB[..., 0].astype('>u2') * 257).tobytes(), step=2 * WIDTH, big_endian=True),
    raw('bayer_rggb8', RGB[..., 0].tobytes(), step=WIDTH),
    raw('bayer_grbg16', (RGB[..., 0].astype('<u2') * 257).tobytes(), step=2 * WIDTH),
    raw('bgra8', np.dstack([RGB, RGB[..., :1]]).tobytes(), step=4 * WIDTH),
    raw('yuv422_yuy2', np.dstack([RGB[..., 0], RGB[..., 1]]).tobytes(), step=2 * WIDTH),
], ids=['padded', 'big-endian-mono16', 'bayer8', 'bayer16', 'bgra', 'yuyv'])
def test_unusual_layouts_are_answered(client, odd):
    response = client.call('the red box', odd)
    assert response.status in ANSWERED, response.reason
    assert (response.mask.mask.height, response.mask.mask.width) == (HEIGHT, WIDTH)


def test_a_padded_image_has_the_answer_of_the_plain_one(client):
    plain, with_rubbish = client.call('the red box', image(RGB)), client.call(
        'the red box', padded())
    assert plain.mask.mask.data == with_rubbish.mask.mask.data


def test_twenty_megapixels_are_answered_smaller_and_said_to_be(client):
    large = cv2.resize(RGB, (5472, 3648), interpolation=cv2.INTER_NEAREST)
    response = client.call('the red box', image(large))
    assert response.status in ANSWERED, response.reason
    assert (response.mask.mask.height, response.mask.mask.width) == (3648, 5472)
    assert any('megapixels' in note for note in response.mask.notes)


@mark.parametrize('timeout', [-1.0, float('nan'), float('inf')])
def test_timeouts_that_are_none(client, timeout):
    response = client.call('the red box', image(), timeout=timeout)
    assert response.status == ReferringMask.BAD_REQUEST
    assert 'timeout' in response.reason


def test_a_stale_frame(client):
    def answered():
        client.publish('image', image())
        return client.call('the red box').status in ANSWERED
    wait_for(answered)
    assert client.set_parameter('max_age', 0.2).successful
    try:
        time.sleep(0.3)  # past it
        response = client.call('the red box')
    finally:
        client.set_parameter('max_age', 120.0)
    assert response.status == ReferringMask.STALE_IMAGE
    assert 'max_age' in response.reason


def test_two_hundred_calls_at_once_are_all_answered(client):
    asked = image()
    futures = [client.call_async('the red box', asked) for _ in range(200)]
    statuses = [client.result(future).status for future in futures]
    assert set(statuses) <= {*ANSWERED, ReferringMask.BUSY, ReferringMask.TIMEOUT}
    assert ReferringMask.BUSY in statuses  # the queue is bounded
    assert any(status in ANSWERED for status in statuses)


def test_stamps_that_jump_back(client):
    client.say('the red box')
    for second in (1000, 1001, 3, 4):
        sent = image(stamp=second)
        client.publish('image', sent)
        wait_for(lambda sent=sent: any(m.header == sent.header for m in client.masks))
    client.say('')


@mark.parametrize(('bad', 'words'), [
    (raw('rgb8', RGB.tobytes()[:-1000], step=3 * WIDTH), 'cut off'),
    (raw('rgb8', b'', 0, 0), '0x0'),
    (raw('rgb8', b'\1\2\3', 1, 1, 3), '1x1'),
], ids=['truncated', 'zero', 'one-pixel'])
def test_bad_frames_on_the_topic_are_answered_with_a_failure(client, bad, words):
    client.say('the red box')
    found = first_answer_to(client, 'image', bad)
    assert found.status == ReferringMask.BAD_REQUEST
    assert words in found.reason
    assert not found.mask.data
    good = image()
    assert first_answer_to(client, 'image', good).status in ANSWERED
    client.say('')


def first_answer_to(client, topic, msg):
    """The mask for a frame on a topic, published until it comes."""
    def came():
        client.publish(topic, msg)
        return [m for m in client.masks if m.header == msg.header]
    return wait_for(came)[0]


@fixture
def compressed(client):
    """The client while the node takes compressed images."""
    def take(transport):
        assert client.transition('deactivate')
        assert client.set_parameter('image_transport', transport).successful
        assert client.transition('activate')
    take('compressed')
    client.say('the red box')
    yield client
    client.say('')
    take('raw')


def encoded(kind: str, length: int | None = None) -> CompressedImage:
    """The picture as JPEG or PNG, its first `length` bytes."""
    _, data = cv2.imencode(f'.{kind}', RGB[..., ::-1])
    return CompressedImage(header=header(), format=kind, data=data.tobytes()[:length])


def huge() -> CompressedImage:
    """A small JPEG that claims 400 megapixels."""
    msg = encoded('jpeg')
    data = bytearray(msg.data)
    place = data.index(b'\xff\xc0')
    data[place + 5:place + 9] = (20_000).to_bytes(2, 'big') * 2
    msg.data = array.array('B', data)
    return msg


@mark.parametrize(('bad', 'words'), [
    (encoded('jpeg', -500), 'cut off'),
    (encoded('jpeg', 20), 'cut off'),
    (encoded('png', -500), 'cut off'),
    (encoded('jpeg', 0), 'expected a JPEG or PNG image'),
    (huge(), '20000x20000'),
    (CompressedImage(header=header(), format='jpeg', data=RGB.tobytes()), 'cannot be decoded'),
], ids=['half-jpeg', 'jpeg-head', 'half-png', 'empty', 'huge', 'rubbish'])
def test_bad_compressed_frames_are_answered_with_a_failure(compressed, bad, words):
    found = first_answer_to(compressed, 'image/compressed', bad)
    assert found.status == ReferringMask.BAD_REQUEST
    assert words in found.reason
    # A call gets the same, for that is the newest frame, until a whole one comes.
    response = compressed.call('the red box')
    assert response.status == ReferringMask.BAD_REQUEST
    assert words in response.reason
    whole = encoded('jpeg')
    assert first_answer_to(compressed, 'image/compressed', whole).status in ANSWERED
    assert compressed.call('the red box').mask.header == whole.header


def test_a_publisher_of_another_type_is_named(client):
    # A raw subscription beside a publisher of compressed images on the same name is never heard.
    publisher = client.node.create_publisher(CompressedImage, 'camera_info', 1)
    wait_for(lambda: 'wrong message type' in client.diagnosis('inputs')[1].get(
        'camera_info problem', ''))
    client.node.destroy_publisher(publisher)
