"""How many frames structure from motion registers from the images alone: `python tests/synthetic/registration.py SCENE`."""

import sys
import tempfile
from pathlib import Path

from PIL import Image


def registered_share(images: dict[str, Image.Image]) -> float:
    """The share of the images in COLMAP's largest model (SIFT, exhaustive matching, one unknown pinhole camera)."""
    import pycolmap

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "images").mkdir()
        for name, image in images.items():
            image.save(root / "images" / name)
        database = root / "database.db"
        pycolmap.logging.minloglevel = 2
        pycolmap.set_random_seed(0)
        reader = pycolmap.ImageReaderOptions(camera_model="SIMPLE_PINHOLE")
        extraction = pycolmap.FeatureExtractionOptions(num_threads=2)
        pycolmap.extract_features(
            database,
            root / "images",
            camera_mode=pycolmap.CameraMode.SINGLE,
            reader_options=reader,
            extraction_options=extraction,
        )
        pycolmap.match_exhaustive(database, matching_options=pycolmap.FeatureMatchingOptions(num_threads=2))
        options = pycolmap.IncrementalPipelineOptions(num_threads=2)
        models = pycolmap.incremental_mapping(database, root / "images", root / "models", options)
        return max((model.num_reg_images() for model in models.values()), default=0) / len(images)


if __name__ == "__main__":
    files = sorted((Path(sys.argv[1]) / "images").iterdir())
    print(registered_share({file.name: Image.open(file) for file in files}))
