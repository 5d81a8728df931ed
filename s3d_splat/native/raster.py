"""The rasterization kernels as functions on tensors: shapes, types and layout are checked here, memory is owned by torch."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.native.library import array, call, floating, kernels, threads


class View(NamedTuple):
    """A pinhole camera as the kernels take it, and the size of its image in pixels."""

    parameters: Float[Tensor, "16"]  # float64: camera from world (rotation row by row, translation), fx, fy, cx, cy
    width: int
    height: int


class Projection(NamedTuple):
    """Gaussians on the screen; zeros where culled."""

    means2d: Float[Tensor, "n 2"]
    conics: Float[Tensor, "n 3"]
    depths: Float[Tensor, " n"]
    radii: Float[Tensor, " n"]


class Channels(NamedTuple):
    """What is composited: groups of channels, each optional; also what comes out and the gradients of both."""

    colours: Tensor | None  # [n, k] in, [h, w, k] out
    depths: Tensor | None  # [n] in, [h, w] out (divided by alpha)
    features: Tensor | None  # [n, c] in, [h, w, c] out


class Geometry(NamedTuple):
    """Gradients of the screen geometry."""

    means2d: Float[Tensor, "n 2"]
    conics: Float[Tensor, "n 3"]
    opacities: Float[Tensor, " n"]


def project(
    means: Float[Tensor, "n 3"],
    log_scales: Float[Tensor, "n 3"],
    quaternions: Float[Tensor, "n 4"],
    opacities: Float[Tensor, " n"],
    view: View,
) -> Projection:
    """Projects Gaussians; conics include the blur of 0.3 px^2; culled Gaussians have radius 0."""
    n, dtype = len(means), floating(means.dtype)
    _check_view(view)
    shapes = {"means": (n, 3), "log_scales": (n, 3), "quaternions": (n, 4), "opacities": (n,)}
    inputs = _arrays(dtype, shapes, means, log_scales, quaternions, opacities)
    out = Projection(means.new_empty(n, 2), means.new_empty(n, 3), means.new_empty(n), means.new_empty(n))
    camera = array(view.parameters, "view", (16,), torch.float64)
    call("s3d_project", dtype, ctypes.c_int64(n), *inputs, camera, view.width, view.height, *map(_address, out), threads())
    return out


def project_backward(
    means: Float[Tensor, "n 3"],
    log_scales: Float[Tensor, "n 3"],
    quaternions: Float[Tensor, "n 4"],
    radii: Float[Tensor, " n"],
    view: View,
    gradients: tuple[Float[Tensor, "n 2"], Float[Tensor, "n 3"], Float[Tensor, " n"]],
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"], Float[Tensor, "n 4"]]:
    """Gradients of means, log scales and quaternions from those of means2d, conics and depths."""
    n, dtype = len(means), floating(means.dtype)
    _check_view(view)
    shapes = {"means": (n, 3), "log_scales": (n, 3), "quaternions": (n, 4), "radii": (n,)}
    inputs = _arrays(dtype, shapes, means, log_scales, quaternions, radii)
    incoming = _arrays(dtype, {"d_means2d": (n, 2), "d_conics": (n, 3), "d_depths": (n,)}, *gradients)
    out = (torch.empty_like(means), torch.empty_like(log_scales), torch.empty_like(quaternions))
    camera = array(view.parameters, "view", (16,), torch.float64)
    call(
        "s3d_project_backward",
        dtype,
        ctypes.c_int64(n),
        *inputs,
        camera,
        view.width,
        view.height,
        *incoming,
        *map(_address, out),
        threads(),
    )
    return out


class Bins:
    """Gaussians sorted front to back and listed per tile; the memory goes back to a pool when the object dies."""

    _handle: ctypes.c_void_p | None = None

    def __init__(
        self,
        means2d: Float[Tensor, "n 2"],
        conics: Float[Tensor, "n 3"],
        opacities: Float[Tensor, " n"],
        depths: Float[Tensor, " n"],
        width: int,
        height: int,
    ) -> None:
        self.count, self.dtype, self.width, self.height = len(means2d), floating(means2d.dtype), width, height
        _check_size(width, height)
        if self.count >= 2**31:
            raise ValueError(f"{self.count} Gaussians are more than the kernels can number")
        n = self.count
        self._handle = ctypes.c_void_p()
        shapes = {"means2d": (n, 2), "conics": (n, 3), "opacities": (n,), "depths": (n,)}
        inputs = _arrays(self.dtype, shapes, means2d, conics, opacities, depths)
        call("s3d_bins_create", self.dtype, ctypes.c_int64(n), *inputs, width, height, threads(), ctypes.byref(self._handle))

    def __del__(self) -> None:
        library = kernels()
        if library is not None and self._handle:
            library.s3d_bins_release(self._handle)

    @property
    def pairs(self) -> int:
        """Intersections of Gaussians and tiles."""
        library = kernels()
        return 0 if library is None else int(library.s3d_bins_pairs(self._handle))

    def render(self, channels: Channels, background: Float[Tensor, " k"] | None) -> tuple[Channels, Float[Tensor, "h w"]]:
        """Composites the channels; returns the images and alpha. The background is added to the colours."""
        groups = self._groups(channels)
        images = Channels(*(None if c is None else c.new_empty(self._image(c)) for c in channels))
        alpha = torch.empty(self.height, self.width, dtype=self.dtype)
        shade = None
        if background is not None and channels.colours is not None:
            shade = array(background, "background", (channels.colours.shape[1],), self.dtype)
        colour, depth, features = map(_address, images)
        call("s3d_forward", self.dtype, self._handle, *groups, shade, colour, depth, features, _address(alpha), threads())
        return images, alpha

    def gradients(
        self,
        channels: Channels,
        images: Channels,
        alpha: Float[Tensor, "h w"],
        d_images: Channels,
        d_alpha: Float[Tensor, "h w"] | None,
        detached_features: bool,
    ) -> tuple[Geometry, Channels]:
        """Gradients of geometry and channels; groups whose image has no gradient are left out and come back as None."""
        used = Channels(*(c if d is not None else None for c, d in zip(channels, d_images, strict=True)))
        groups = self._groups(used)
        size = (self.height, self.width)
        rendered = [self._checked_image(image, c, "image") for image, c in zip(images, used, strict=True)]
        incoming = [self._checked_image(d, c, "gradient") for d, c in zip(d_images, used, strict=True)]
        alpha_in = None if d_alpha is None else array(d_alpha, "d_alpha", size, self.dtype)
        n = self.count
        geometry = Geometry(*(torch.empty(shape, dtype=self.dtype) for shape in ((n, 2), (n, 3), (n,))))
        d_channels = Channels(*(None if c is None else torch.empty_like(c) for c in used))
        d_colours, d_depths, d_features = map(_address, d_channels)
        call(
            "s3d_backward",
            self.dtype,
            self._handle,
            *groups,
            *rendered,
            array(alpha, "alpha", size, self.dtype),
            *incoming,
            alpha_in,
            *map(_address, geometry),
            d_colours,
            d_depths,
            d_features,
            int(detached_features),
            threads(),
        )
        return geometry, d_channels

    def vote(self, ids: Int[Tensor, " n"]) -> tuple[Int[Tensor, "h w"], Float[Tensor, "h w"]]:
        """Per pixel the non-negative id with the largest sum of weights (-1: none), and that sum."""
        winner = torch.empty(self.height, self.width, dtype=torch.int64)
        weight = torch.empty(self.height, self.width, dtype=self.dtype)
        given = array(ids, "ids", (self.count,), torch.int64)
        call("s3d_vote", self.dtype, self._handle, given, _address(winner), _address(weight), threads())
        return winner, weight

    def workload(self) -> tuple[int, int]:
        """Pairs of Gaussian and pixel that contribute, and those that the backward pass computes (whole vectors)."""
        contributing, walked = ctypes.c_int64(), ctypes.c_int64()
        call("s3d_count", self.dtype, self._handle, ctypes.byref(contributing), ctypes.byref(walked), threads())
        return contributing.value, walked.value

    def lift(self, labels: Int[Tensor, "h w"]) -> tuple[Int[Tensor, " m"], Int[Tensor, " m"], Float[Tensor, " m"]]:
        """(Gaussian, label, summed weight), ascending; negative labels are left out."""
        handle, size = ctypes.c_void_p(), ctypes.c_int64()
        given = array(labels, "labels", (self.height, self.width), torch.int64)
        call("s3d_lift", self.dtype, self._handle, given, ctypes.byref(handle), ctypes.byref(size), threads())
        gaussian, label = torch.empty(size.value, dtype=torch.int64), torch.empty(size.value, dtype=torch.int64)
        weight = torch.empty(size.value, dtype=self.dtype)
        call("s3d_lift_take", self.dtype, handle, _address(gaussian), _address(label), _address(weight))
        return gaussian, label, weight

    def _groups(self, channels: Channels) -> list[ctypes.c_void_p | int | None]:
        arguments: list[ctypes.c_void_p | int | None] = []
        for name, tensor in zip(channels._fields, channels, strict=True):
            if tensor is None:
                arguments += [None, 0]
                continue
            shape = (self.count,) if name == "depths" else (self.count, tensor.shape[-1])
            arguments += [array(tensor, name, shape, self.dtype), 1 if name == "depths" else tensor.shape[-1]]
        return arguments

    def _image(self, channel: Tensor) -> tuple[int, ...]:
        return (self.height, self.width, *channel.shape[1:])

    def _checked_image(self, image: Tensor | None, channel: Tensor | None, name: str) -> ctypes.c_void_p | None:
        if image is None or channel is None:
            return None
        return array(image, name, self._image(channel), self.dtype)


def _arrays(dtype: torch.dtype, shapes: dict[str, tuple[int, ...]], *tensors: Tensor) -> list[ctypes.c_void_p]:
    return [array(t, name, shape, dtype) for t, (name, shape) in zip(tensors, shapes.items(), strict=True)]


def _address(tensor: Tensor | None) -> ctypes.c_void_p | None:
    return None if tensor is None else ctypes.c_void_p(tensor.data_ptr())


def _check_view(view: View) -> None:
    _check_size(view.width, view.height)
    focal = view.parameters[12:14]
    if not bool(torch.isfinite(view.parameters).all()) or not bool((focal > 0).all()):
        raise ValueError("the camera has a value that is not finite, or a focal length that is not positive")


def _check_size(width: int, height: int) -> None:
    if not (0 < width < 65536 and 0 < height < 65536):
        raise ValueError(f"an image of {width} x {height} pixels cannot be rendered: sides are 1 to 65535")
