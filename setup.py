"""Compiles the CPU kernels when the package is installed; without a compiler the package installs all the same."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

SOURCES = ["backward", "bins", "build", "count", "forward", "losses", "projection", "rows", "ssim", "visibility", "weights"]
HEADERS = ["bins.h", "buffers.h", "channels.h", "simd.h", "tile.h"]
REQUIRED = [
    "-std=c++17",
    "-O3",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-Wno-maybe-uninitialized",
    "-Wno-ignored-attributes",
]
# The processor that the kernels are compiled for; S3D_SPLAT_MARCH=x86-64-v3 makes them AVX2, to run elsewhere or to compare.
MACHINE = os.environ.get("S3D_SPLAT_MARCH", "native")
WANTED = [
    f"-march={MACHINE}",
    "-mprefer-vector-width=512",
    "-fopenmp",
]  # each is left out where the compiler does not know it


class BuildKernels(build_ext):
    """Adds the optional compiler flags that this machine's compiler accepts."""

    def build_extension(self, ext: Extension) -> None:
        accepted = [flag for flag in WANTED if self._links(flag)]
        ext.extra_compile_args = REQUIRED + accepted
        ext.extra_link_args = [flag for flag in accepted if flag == "-fopenmp"]
        super().build_extension(ext)

    def _links(self, flag: str) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "probe.cpp"
            source.write_text("int main() { return 0; }\n")
            try:
                objects = self.compiler.compile([str(source)], output_dir=folder, extra_postargs=[flag])
                self.compiler.link_executable(objects, str(Path(folder) / "probe"), extra_postargs=[flag])
            except (CompileError, LinkError):
                return False
        return True


setup(
    ext_modules=[
        Extension(
            "s3d_splat.native._kernels",
            sources=[f"s3d_splat/native/{name}.cpp" for name in SOURCES],
            depends=[f"s3d_splat/native/{name}" for name in HEADERS],
            language="c++",
            optional=True,
        )
    ],
    cmdclass={"build_ext": BuildKernels},
)
