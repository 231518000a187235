#!/bin/sh
# Steps that both container definitions share: environment and package from the lock, then a check that they work.
# Usage: install.sh FOLDER [PYTHON]   FOLDER holds a copy of this repository; the environment is made in FOLDER/.venv.
set -eu

folder=$1
python=${2:-python3}

"$python" -m venv "$folder/.venv"
pip="$folder/.venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --quiet"
$pip --require-hashes -r "$folder/envs/requirements.lock"
$pip --no-deps --no-build-isolation -e "$folder"

# Bytecode is written now, as an image is read-only when it runs.
"$folder/.venv/bin/python" -m compileall -q "$folder/scripts"

cd "$folder"
.venv/bin/snakemake --version
.venv/bin/python -c "import SimpleITK, gdcm, matplotlib, pyarrow, pydicom, spongiosa; print('spongiosa', spongiosa.__version__)"
