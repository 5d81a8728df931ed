"""The table of text encoders."""

from __future__ import annotations

from collections.abc import Callable

from s3d_splat.priors.text.base import TextEncoder
from s3d_splat.priors.text.options import TextOptions


def make_text_encoder(options: TextOptions) -> TextEncoder:
    """The encoder that the options name, its weights loaded.

    Raises:
        S3DError: its package, its weights or its table are missing, or their licence was not accepted.
    """
    return TEXT_ENCODERS[options.encoder](options)


def _open_clip(options: TextOptions) -> TextEncoder:
    from s3d_splat.priors.text.open_clip import OpenClipEncoder

    return OpenClipEncoder.load(options)


def _table(options: TextOptions) -> TextEncoder:
    from s3d_splat.priors.text.table import TableEncoder

    return TableEncoder.read(options.embeddings)


TEXT_ENCODERS: dict[str, Callable[[TextOptions], TextEncoder]] = {"open_clip": _open_clip, "table": _table}
