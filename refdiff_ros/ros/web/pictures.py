"""What goes to the browser: JPEG and PNG pictures, outlines, and the frame they are packed in.

A binary message is the milliseconds that it waited for its browser (4 bytes, big endian), the
length of a JSON head (4 bytes), the head, and then the parts whose lengths the head lists under
'parts'.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from refdiff_ros.console import to_json
from refdiff_ros.optional import require_package

# Wider pictures are made smaller: a browser shows no more, and a network carries no more.
_WIDEST = 1280
_JPEG_QUALITY = 80
# The attention grid is coarse; its picture may be.
_ATTENTION_WIDEST = 320
# Share of the heat where the attention is 1, as in `overlay`.
_HEAT = 0.6
# Outlines: how far they may be off, pixels, and how many parts of a mask are drawn.
_OFF_PX = 0.8
_MOST_PARTS = 64


def pack(head: Mapping[str, Any], parts: Sequence[bytes] = ()) -> bytes:
    """One binary message, less the time that it waited (see `waited`)."""
    text = to_json({**head, 'parts': [len(part) for part in parts]}, compact=True).encode()
    return b''.join((len(text).to_bytes(4, 'big'), text, *parts))


def waited(seconds: float) -> bytes:
    """What a binary message begins with."""
    return min(int(seconds * 1e3), 2**32 - 1).to_bytes(4, 'big')


def jpeg(image_rgb: np.ndarray) -> bytes:
    """(H, W, 3) uint8 RGB as JPEG, at most 1280 pixels wide."""
    cv2 = require_package('cv2', 'ros')
    picture = _no_wider(cv2, image_rgb, _WIDEST)
    done, data = cv2.imencode(
        '.jpg', picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes() if done else b''


def attention_png(correlation: np.ndarray) -> bytes:
    """A map c (H, W) in 0..1 as a PNG to be laid over the picture: clear where c is 0."""
    from refdiff_ros.pictures.overlay import attention_image

    cv2 = require_package('cv2', 'ros')
    small = _no_wider(cv2, correlation, _ATTENTION_WIDEST)
    alpha = _HEAT * np.clip(np.nan_to_num(small), 0, 1) ** 2
    picture = np.dstack((attention_image(small)[:, :, ::-1],
                         np.rint(255 * alpha).astype(np.uint8)))
    done, data = cv2.imencode('.png', picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return data.tobytes() if done else b''


def outlines(mask: np.ndarray) -> list[list[int]]:
    """A mask (H, W) bool as closed lines u, v, u, v, ...: outer borders and holes, largest first.

    Filled by the even-odd rule they give the mask, less specks where it has very many parts.
    """
    cv2 = require_package('cv2', 'ros')
    found, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    largest = sorted(found, key=cv2.contourArea, reverse=True)[:_MOST_PARTS]
    return [cv2.approxPolyDP(part, _OFF_PX, True).ravel().tolist() for part in largest]


def _no_wider(cv2: Any, picture: np.ndarray, width: int) -> np.ndarray:
    if picture.shape[1] <= width:
        return picture
    height = max(round(picture.shape[0] * width / picture.shape[1]), 1)
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
