"""The data parser `s3d-splat-scene` as nerfstudio registers it (not in `config.py`: that one needs the list of parsers)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nerfstudio.data.dataparsers.base_dataparser import DataParserConfig
from nerfstudio.plugins.registry_dataparser import DataParserSpecification

if TYPE_CHECKING:
    from nerfstudio_plugin.dataparser import SceneDataParser


@dataclass
class SceneDataParserConfig(DataParserConfig):
    """A scene folder of s3d-splat, with its own split, world coordinates and lenses."""

    data: Path = Path()
    """The scene folder."""

    def setup(self, **_: Any) -> SceneDataParser:
        """The parser; what it needs is imported here, so that commands of other methods start as before."""
        from nerfstudio_plugin.dataparser import SceneDataParser

        return SceneDataParser(self)


s3d_splat_scene = DataParserSpecification(SceneDataParserConfig(), "Scene folders of s3d-splat.")
