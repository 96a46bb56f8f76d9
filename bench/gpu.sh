#!/usr/bin/env bash
# The CUDA kernels on a GPU of sm_90: OUT=folder bash bench/gpu.sh, in less than 9 minutes, without a network.
# A part that fails or runs out of time is in the result as such, and the others go on. At most:
#   build      170 s   _cpu and _cuda for sm_90 into build/gpu, with the python3 and nvcc that are here
#   models      40 s   instructions against their models, bit for bit: gpu_models.cu
#   races      130 s   against cuBLAS, cuDNN and fused Adam: gpu.py
#   sanitizer   60 s   small cases of all ops under memcheck and racecheck, where the machine allows it
#   suite      the rest of 505 s, and so 80 s or more: all tests whose backend is cuda
# Leaves one JSON file in OUT or bench/results, and with 77 if something is missing, 1 if a part failed.
set -euo pipefail
here=${BASH_SOURCE[0]}
[[ $here == */* ]] || here=./$here
cd "${here%/*}/.."

modules="hypothesis numpy PIL pybind11 pytest safetensors torch tqdm"
missing=()
for tool in python3 nvcc cmake ninja g++ timeout; do
  command -v "$tool" >/dev/null || missing+=("$tool")
done
if command -v python3 >/dev/null; then
  # shellcheck disable=SC2086  a word each
  mapfile -t -O ${#missing[@]} missing < <(python3 - $modules <<'PYTHON'
import importlib.util, os, sys, sysconfig
absent = [name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]
print(*(f"Python's {name}" for name in absent), sep="\n", end="\n" * bool(absent))
if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
    print("Python.h")
if "torch" not in absent:
    import torch
    if not torch.cuda.is_available() or torch.cuda.get_device_capability() != (9, 0):
        print("a GPU of sm_90")
PYTHON
  )
fi
if ((${#missing[@]})); then
  printf -v list '%s, ' "${missing[@]}"
  echo "bench/gpu.sh needs what is not here: ${list%, }."
  exit 77
fi

parts=$PWD/build/gpu/parts site=$PWD/build/gpu/site
rm -rf "$parts" "$site"
mkdir -p "$parts" "$site"
export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH}

# part NAME SECONDS COMMAND...: what it said, and how it ended after how long, in files of its name.
part() {
  local name=$1 most=$2 start=$SECONDS code=0
  shift 2
  timeout -k 5 -s "${signal:-TERM}" "$most" "$@" >"$parts/$name.log" 2>&1 || code=$?
  echo "$code $((SECONDS - start))" >"$parts/$name.status"
  echo "$name left with $code after $((SECONDS - start)) s"
  return "$code"
}

built=yes
part build 170 bash -euc '
  cmake -S . -B build/gpu/cmake -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DPython_EXECUTABLE="$(command -v python3)" -Dpybind11_DIR="$(python3 -m pybind11 --cmakedir)" \
    -DBAREGRAD_CUDA=ON -DBAREGRAD_SIM=OFF -DCMAKE_CUDA_ARCHITECTURES=90-real
  cmake --build build/gpu/cmake
  cp -R python/baregrad "$0"
  rm -f "$0"/baregrad/*.so
  cmake --install build/gpu/cmake --prefix "$0"
  version=$(sed -n "s/^version = \"\(.*\)\"/\1/p" pyproject.toml)
  mkdir "$0/baregrad-$version.dist-info"
  printf "Metadata-Version: 2.1\nName: baregrad\nVersion: %s\n" "$version" \
    >"$0/baregrad-$version.dist-info/METADATA"
  python3 -c "import baregrad as bg; print(bg.__version__, bg.cuda.why_not()); bg.cuda.is_available() or exit(1)"
' "$site" || built=

part models 40 bash -euc '
  nvcc -std=c++17 -O2 -arch=sm_90 -c bench/gpu_models.cu -o "$0/hardware.o" &
  nvcc -std=c++17 -O2 -arch=sm_90 -DBAREGRAD_MODELS -c bench/gpu_models.cu -o "$0/models.o"
  wait $!
  nvcc "$0/hardware.o" "$0/models.o" -o "$0/models"
  "$0/models"
' "$PWD/build/gpu" || :

if [[ $built ]]; then
  part races 130 python3 bench/gpu.py --out "$parts/races.json" --seconds 100 || :

  # Only the plugins that are named: others of this Python have warnings of their own, which are errors.
  export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
  tests=(python3 -m pytest -q -p no:cacheprovider)
  part sanitizer 60 bash -euc '
    command -v compute-sanitizer >/dev/null || { echo "no compute-sanitizer"; exit 77; }
    for tool in memcheck racecheck; do
      compute-sanitizer --tool "$tool" --error-exitcode 1 "$@" tests/test_gpu_bench.py -k small_cases
    done
  ' sanitizer "${tests[@]}" || :

  if python3 -c "import xdist" 2>/dev/null; then tests+=(-p xdist.plugin -n 8); fi
  # What asks for the models of the simulator is skipped. INT, so that it says how far it came.
  signal=INT part suite $((505 - SECONDS)) "${tests[@]}" -rfE -k cuda || :
fi

python3 bench/gpu_report.py --gather "$parts" --out "${OUT:-bench/results}"
