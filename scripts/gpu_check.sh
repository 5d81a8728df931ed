#!/usr/bin/env bash
# The tests that need a GPU, and the benchmark there. Needs a CUDA device, nvcc, and s3d-splat with its `gsplat` and `dev` extras
# installed; takes nothing from the network. gsplat compiles its kernels at the first call, for this card alone: some minutes.
#   PYTHON=.venv/bin/python scripts/gpu_check.sh [FOLDER FOR THE RESULTS]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
results=${1:-out/gpu_check}
limit=480  # seconds for everything
mkdir -p "$results"

"$python" - <<'EOF'
import importlib.util, sys
import torch
if not torch.cuda.is_available():
    sys.exit("error: torch sees no CUDA device: nothing to check here")
if importlib.util.find_spec("gsplat") is None:
    sys.exit("error: gsplat is not installed: pip install 's3d-splat[gsplat]'")
print(torch.cuda.get_device_name(), "torch", torch.__version__)
EOF

capability=$("$python" -c "import torch; print('%d.%d' % torch.cuda.get_device_capability())")
export TORCH_CUDA_ARCH_LIST=${TORCH_CUDA_ARCH_LIST:-$capability}
export MAX_JOBS=${MAX_JOBS:-$(nproc)}
export OMP_WAIT_POLICY=passive
bench="from s3d_splat.cli import main; main()"

started=$SECONDS
left() { echo $((limit - SECONDS + started)); }
timeout "$(left)" "$python" -c "from gsplat.cuda._backend import _C; assert _C is not None" | tee "$results/compile.txt"
echo "gsplat is ready after $((SECONDS - started)) s"
timeout "$(left)" "$python" -m pytest -m gpu 2>&1 | tee "$results/tests.txt"
for flags in "" "--channels 12" "--channels 64" "--gaussians 1000000" "--width 1280 --height 960 --gaussians 1000000"; do
  # The flags are words of their own.
  # shellcheck disable=SC2086
  timeout "$(left)" "$python" -c "$bench" bench raster --json --backend gsplat $flags | tee -a "$results/bench.jsonl"
done
echo "all done in $((SECONDS - started)) s; results in $results"
