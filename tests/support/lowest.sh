#!/usr/bin/env bash
# Part of the tests with the lowest versions that pyproject.toml allows, in an environment of their own:
#   tests/support/lowest.sh      PYTHON names the interpreter, VENV the environment (.venv-lowest); it is made where it is missing
# Builds in a temporary copy of the tracked and untracked files, never in the checkout.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
venv=${VENV:-$root/.venv-lowest}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
source "$root/tests/support/copy_files.sh"
copy_files "$copy"
cd "$copy"
[[ -x $venv/bin/python ]] || "${PYTHON:-python3}" -m venv "$venv"
install=("$venv/bin/python" -m pip install --quiet --constraint constraints-lowest.txt)
"${install[@]}" torch cython setuptools # torch first, so that no other requirement brings another build of it
CFLAGS=-O1 "${install[@]}" --no-build-isolation --editable '.[onnx,pettingzoo,safetensors,web]'
"${install[@]}" pytest pytest-randomly pytest-timeout pytest-xdist hypothesis httpx2 # of these the newest will do
# what takes long or starts processes proves no more about versions; warnings of old versions tell nothing
OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE "$venv/bin/python" -m pytest --numprocesses auto -p no:cacheprovider \
    -m "not slow" -k "not gpu.yaml and not transformer.yaml and not threads" -o filterwarnings= --disable-warnings \
    tests/sim_core/test_{batch,batch_arguments,pettingzoo_env,state}.py \
    tests/sim_core/tree_search/test_search.py tests/sim_core/beasty_bar/test_{notation,rules_vectors,fuzz}.py \
    tests/callbacks/test_{adaptive_opponents,entropy,grad_norm,package,schedule_callback,targets,temperature}.py \
    tests/lit_trainer/{checkpoints,learning,measuring/test_ma*,measuring/test_me*,networks,reporting/test_logged*,cli} \
    tests/lit_trainer/players/test_agents.py tests/lit_trainer/play/test_app.py \
    tests/system/test_{bad_input,cli,resume,seeing_a_run}.py
