#!/usr/bin/env bash
# The kernel's tests on a build with the address and undefined-behaviour sanitizers; the installed kernels stay as they are.
#   PYTHON=.venv/bin/python scripts/sanitize.sh
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=all"
CFLAGS="$sanitizers -g1 -fno-omit-frame-pointer" LDFLAGS="$sanitizers" \
  "$python" setup.py --quiet build_ext --build-lib "$build/lib" --build-temp "$build/temp"

# Python itself is not instrumented: the runtimes come first, and what Python never frees is not counted as leaked.
runtimes="$(${CC:-gcc} -print-file-name=libasan.so) $(${CC:-gcc} -print-file-name=libubsan.so)"
LD_PRELOAD="$runtimes" ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
  S3D_SPLAT_KERNELS="$build/lib/s3d_splat/native" \
  "$python" -m pytest -p no:cacheprovider tests/native tests/raster tests/contracts/test_raster.py "$@"
