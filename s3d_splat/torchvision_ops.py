"""Lets torchvision's registry wheel import on a CPU-only torch.

PyPI's torchvision is a CUDA build: its compiled operators do not load into a CPU-only torch, and `import torchvision` then
stops at `operator torchvision::nms does not exist`, because Python code registers shape functions for operators that nobody
defined. Defining those two schemas first is enough. torch calls `define_missing_schemas` when it is imported (entry point
group `torch.backends`), so that it happens before anybody imports torchvision.
"""

from importlib import util
from pathlib import Path

_kept_alive: list[object] = []  # a torch library's definitions live as long as the object


def define_missing_schemas() -> None:
    """Define `torchvision::nms` and `qnms` where torch has no GPU support and torchvision is a build for one."""
    import torch

    if torch.version.cuda is not None or torch.version.hip is not None or not _torchvision_is_gpu_build():
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _kept_alive.append(library)


def _torchvision_is_gpu_build() -> bool:
    spec = util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    version_file = Path(spec.origin).with_name("version.py")  # read as text: importing torchvision is what fails
    text = version_file.read_text() if version_file.exists() else ""
    return "+cu" in text or "+rocm" in text
