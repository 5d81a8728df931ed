"""What carries the camera (a gripper, a bonnet, a tripod): pixels that stay as they are while everything else moves.

No weights are needed. A pixel of the rig differs little from image to image, where the rest of the picture differs a lot;
and its texture stays in place, where texture that moves averages out. The second also tells it from what is merely uniform
or overexposed. A miss costs a floater, a false find costs a part of the scene: whatever is in doubt is not masked. A smooth
rig, such as a polished bonnet, is found at its edge alone, if at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

MAX_IMAGES = 32
LONGER_SIDE = 640  # pixels, of the images that are compared
_MIN_IMAGES = 8
_NOISE = 2.0  # of 255: what a good camera's grey values wander by
_MOVING = 4.0  # times the noise: the median pixel of a capture that moves differs by more
_SAME = 0.75  # of the images must show the rig where it is: a camera that rests in half of them does not make one
_STILL = 0.4  # of the median pixel's difference: a pixel of the rig differs by less
_WHITE = 250.0  # of 255: above, nothing is known
_ATTACHED = 0.6  # of the slope of single images is still there in the median slope; static rooms reach 0.3
_TEXTURE = 1.0  # grey values a pixel: slopes that stand out from the noise of a smoothed image
_TWO_WAYS = 0.05  # a straight edge that slides along itself has slopes in one direction alone
_SMALLEST = 0.005  # of the image
_LARGEST = 0.6  # of the image: then it is the scene that stands still
# Lengths, as shares of the width.
_WINDOW, _REACH, _RIM = 0.03, 0.03, 0.006

Images = UInt8[np.ndarray, "n h w 3"]
Map = Float[np.ndarray, "h w"]


def find_ego_mask(images: Images) -> Bool[np.ndarray, "h w"] | None:
    """The pixels that show what the camera is mounted on, True = rig; None if there is no such thing, or no telling.

    Args:
        images: of one camera, spread over its way: at least 8; 8-bit RGB, best about 640 pixels long.
    """
    if len(images) < _MIN_IMAGES:
        return None
    median = np.median(images, axis=0).astype(np.float32)
    change = _smoothed(_change(images, median), _odd(1 / 320, images))
    typical = float(np.median(change))
    if typical < _MOVING * _NOISE:
        return None
    still = (change < _STILL * typical) & (median.min(axis=-1) < _WHITE)
    across, down, single = _slopes(images)
    window = _odd(_WINDOW, images)
    kept = _smoothed(np.hypot(across, down), window)
    textured = still & (kept > _TEXTURE) & (kept > _ATTACHED * _smoothed(single, window))
    return _rig(textured, still, across, down)


def reduced(image: Shaped[np.ndarray, "h w *c"]) -> Shaped[np.ndarray, "H W *c"]:
    """An image with a longer side of at most 640 pixels, as `find_ego_mask` wants it."""
    import cv2

    height, width = image.shape[:2]
    scale = LONGER_SIDE / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def enlarged(mask: Bool[np.ndarray, "h w"], width: int, height: int) -> Bool[np.ndarray, "H W"]:
    """A mask of reduced images for those of full size."""
    import cv2

    return cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)


def chosen(count: int) -> Sequence[int]:
    """At most 32 of `count` images, spread evenly."""
    places = np.linspace(0, count - 1, min(MAX_IMAGES, count))
    return [int(place) for place in np.unique(places.round())]


def _change(images: Images, median: Float[np.ndarray, "h w 3"]) -> Map:
    """How far three quarters of the images stay from the median at most, mean over the channels."""
    place = int(np.ceil(_SAME * (len(images) - 1)))
    rows = [
        np.partition(np.abs(images[:, row] - median[row]), place, axis=0)[place].mean(axis=-1)
        for row in range(len(median))  # one at a time: images of floats would need much memory
    ]
    return np.stack(rows).astype(np.float32)


def _slopes(images: Images) -> tuple[Map, Map, Map]:
    """Median slope across and down, and median steepness of single images: grey values a pixel."""
    import cv2

    grey = [cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.0) for image in images]
    across = np.stack([cv2.Sobel(one, cv2.CV_32F, 1, 0, scale=1 / 8) for one in grey])
    down = np.stack([cv2.Sobel(one, cv2.CV_32F, 0, 1, scale=1 / 8) for one in grey])
    steep = np.hypot(across, down)
    return np.median(across, axis=0), np.median(down, axis=0), np.median(steep, axis=0)


def _rig(
    textured: Bool[np.ndarray, "h w"], still: Bool[np.ndarray, "h w"], across: Map, down: Map
) -> Bool[np.ndarray, "h w"] | None:
    """Pieces around attached texture: large enough, at the border of the image, with slopes in more than one direction."""
    from scipy.ndimage import binary_dilation, label

    reach, rim = (max(1, round(share * still.shape[1])) for share in (_REACH, _RIM))
    grown = binary_dilation(textured, iterations=reach, mask=still) if textured.any() else textured
    pieces, count = label(_filled(grown, still, rim), structure=np.ones((3, 3)))
    found = np.zeros(still.shape, bool)
    for number in range(1, count + 1):
        piece = pieces == number
        border = np.concatenate([piece[0], piece[-1], piece[:, 0], piece[:, -1]])
        if border.any() and piece.mean() >= _SMALLEST and _is_bent(across[piece & textured], down[piece & textured]):
            found |= piece
    if not found.any():
        return None
    found = binary_dilation(found, iterations=rim)
    return found if found.mean() <= _LARGEST else None


def _filled(grown: Bool[np.ndarray, "h w"], still: Bool[np.ndarray, "h w"], rim: int) -> Bool[np.ndarray, "h w"]:
    """Without small gaps, and with what is cut off from the rest of the image by it and mostly stands still as well."""
    from scipy.ndimage import binary_closing, label
    from scipy.ndimage import mean as mean_of

    padded = np.pad(grown, 2 * rim, mode="edge")  # closing erodes at the border of the image
    closed = binary_closing(padded, iterations=2 * rim)[2 * rim : -2 * rim, 2 * rim : -2 * rim]
    parts, count = label(~closed)
    if count == 0:
        return closed
    stands = np.concatenate([[False], np.asarray(mean_of(still, parts, np.arange(1, count + 1))) > 1 - _STILL])
    return closed | stands[parts]


def _is_bent(across: Float[np.ndarray, " m"], down: Float[np.ndarray, " m"]) -> bool:
    if not len(across):
        return False
    tensor = np.array([[across @ across, across @ down], [across @ down, down @ down]], np.float64)
    low, high = np.linalg.eigvalsh(tensor)
    return bool(low > _TWO_WAYS * high)


def _smoothed(values: Map, window: int) -> Map:
    import cv2

    return cv2.blur(values, (window, window))


def _odd(share: float, images: Images) -> int:
    """An odd number of pixels that is about twice half of a share of the width."""
    return 2 * max(1, round(share * images.shape[2] / 2)) + 1
