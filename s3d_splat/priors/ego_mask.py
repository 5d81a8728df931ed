"""What carries the camera (a gripper, a bonnet, a tripod): pixels that stay as they are while everything else moves.

No weights are needed. A pixel of the rig differs little from image to image, where the rest of the picture differs a lot;
its texture outlives the median over the images, where texture that moves averages out, which also tells it from what is
uniform or overexposed; and it lies where it is to a fraction of a pixel, where slow scenery drifts. A miss costs a floater,
a false find a part of the scene: what is in doubt is not masked, a rig without texture (a polished bonnet) among it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

MAX_IMAGES = 32
LONGER_SIDE = 640  # pixels, of the images that are compared
_MIN_IMAGES = 8
_NOISE = 2.0  # of 255: what a good camera's grey values wander by
_MOVING = 4.0  # times the noise: the median pixel of a capture that moves differs by more
_SAME = 0.75  # of the images must show the rig where it is: a camera that rests in half of them does not make one
_STILL = 0.4  # of the median pixel's difference: a pixel of the rig differs by less
_STEADY = 0.6  # ... or by so much, where its texture stays: light may wander over it
_WHITE = 250.0  # of 255: above, nothing is known
_ATTACHED = 0.6  # of the slope of single images is still there in the median slope; static rooms reach 0.3
_TEXTURE = 1.0  # grey values a pixel: slopes that stand out from the noise of a smoothed image
_SHIFT = 0.7  # pixels: the texture of a rig moves by less, that of slow scenery by more
_SHARE = 0.6  # of a tile lies on the piece whose shift it measures
_FEWEST = 2  # tiles that tell anything
_SMALLEST = 0.005  # of the image
_LARGEST = 0.6  # of the image: then it is the scene that stands still
# Lengths, as shares of the width.
_WINDOW, _TILE, _REACH, _RIM = 0.03, 0.05, 0.015, 0.006

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
    known = median.min(axis=-1) < _WHITE
    still, steady = (known & (change < share * typical) for share in (_STILL, _STEADY))
    grey = _grey(images)
    across, down, single = _slopes(grey)
    window = _odd(_WINDOW, images)
    kept = _smoothed(np.hypot(across, down), window)
    textured = steady & (kept > _TEXTURE) & (kept > _ATTACHED * _smoothed(single, window))
    found = np.zeros(still.shape, bool)
    for piece in _pieces(textured, still | textured):
        if _is_attached(piece, grey, across, down):
            found |= piece
    return _widened(found) if found.any() else None


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


def _grey(images: Images) -> Float[np.ndarray, "n h w"]:
    """Slightly smoothed, against noise."""
    import cv2

    grey = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in images)
    return np.stack([cv2.GaussianBlur(image, (0, 0), 1.0) for image in grey])


def _slopes(grey: Float[np.ndarray, "n h w"]) -> tuple[Map, Map, Map]:
    """Median slope across and down, and median steepness of single images: grey values a pixel."""
    import cv2

    across = np.stack([cv2.Sobel(image, cv2.CV_32F, 1, 0, scale=1 / 8) for image in grey])
    down = np.stack([cv2.Sobel(image, cv2.CV_32F, 0, 1, scale=1 / 8) for image in grey])
    steep = np.hypot(across, down)
    return np.median(across, axis=0), np.median(down, axis=0), np.median(steep, axis=0)


def _pieces(textured: Bool[np.ndarray, "h w"], still: Bool[np.ndarray, "h w"]) -> Iterator[Bool[np.ndarray, "h w"]]:
    """Pieces around texture that stays: large enough, and at the border of the image."""
    from scipy.ndimage import binary_dilation, label

    reach, rim = (max(1, round(share * still.shape[1])) for share in (_REACH, _RIM))
    grown = binary_dilation(textured, iterations=reach, mask=still) if textured.any() else textured
    pieces, count = label(_filled(grown, still, rim), structure=np.ones((3, 3)))
    for number in range(1, count + 1):
        piece = pieces == number
        border = np.concatenate([piece[0], piece[-1], piece[:, 0], piece[:, -1]])
        if border.any() and piece.mean() >= _SMALLEST:
            yield piece


def _is_attached(piece: Bool[np.ndarray, "h w"], grey: Float[np.ndarray, "n h w"], across: Map, down: Map) -> bool:
    """Whether the texture of a piece lies where it is to a fraction of a pixel, in three quarters of the images.

    The shift of every tile in every image follows from slopes and differences to the median image (B. Lucas and T. Kanade,
    1981); a tile without slopes in two directions tells nothing. Scenery that drifts slowly, or along an edge, fails.
    """
    size = max(8, round(_TILE * piece.shape[1]))
    usual = np.median(grey, axis=0)
    shifts = []
    for row in range(0, piece.shape[0] - size + 1, size):
        for column in range(0, piece.shape[1] - size + 1, size):
            tile = slice(row, row + size), slice(column, column + size)
            slopes = np.stack([across[tile].ravel(), down[tile].ravel()], axis=1).astype(np.float64)
            tensor = slopes.T @ slopes
            if piece[tile].mean() < _SHARE or np.linalg.eigvalsh(tensor)[0] < (_TEXTURE * size) ** 2:
                continue
            change = (grey[:, tile[0], tile[1]] - usual[tile]).reshape(len(grey), -1)
            moved = np.linalg.solve(tensor, slopes.T @ (change - change.mean(axis=1, keepdims=True)).T)
            shifts.append(np.quantile(np.hypot(*moved), _SAME))
    return len(shifts) >= _FEWEST and float(np.median(shifts)) < _SHIFT


def _widened(found: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"] | None:
    """With a rim, for what is blurred; None if it would be most of the image."""
    from scipy.ndimage import binary_dilation

    widened = binary_dilation(found, iterations=max(1, round(_RIM * found.shape[1])))
    return widened if widened.mean() <= _LARGEST else None


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


def _smoothed(values: Map, window: int) -> Map:
    import cv2

    return cv2.blur(values, (window, window))


def _odd(share: float, images: Images) -> int:
    """An odd number of pixels that is about twice half of a share of the width."""
    return 2 * max(1, round(share * images.shape[2] / 2)) + 1
