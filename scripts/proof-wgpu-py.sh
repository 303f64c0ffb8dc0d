#!/usr/bin/env bash
# The golden programs of tests/programs, replayed from their text by wgpu for Python: wgpu-native on every adapter, then
# Dawn. proof/python/golden.py holds the replay. The packages lie in target/proof/venv.
#
# usage: scripts/proof-wgpu-py.sh [--without-keep]
#
#   --without-keep   the negative control: keep() does nothing in the kernels. The script succeeds if a program
#                    differs on each adapter
#
# PYTHON is the interpreter for target/proof/venv, 3.11 or newer. WHEELS is a folder of wheels, for a machine without
# network. `scripts/adapters.sh` prints the variables that show the software adapters to the programs; without these
# variables, the programs run on the machine's own adapters.
set -euo pipefail
exec </dev/null
cd "$(dirname "$0")/.."

# Without the packages of windows and arrays, which a replay does not import.
packages=(wgpu==0.32.0 wgpudawn==0.32.0.4 cffi==2.1.1 pycparser==3.12)
venv=${CARGO_TARGET_DIR:-$PWD/target}/proof/venv

case "$*" in
    "" | --without-keep) ;;
    *) echo "usage: scripts/proof-wgpu-py.sh [--without-keep]" >&2 && exit 2 ;;
esac

# The copy of the list is written when an installation is complete.
if [ "$(cat "$venv/packages" 2>/dev/null)" != "${packages[*]}" ]; then
    pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all:)
    [ -z "${WHEELS-}" ] || pip+=(--no-index --find-links "$WHEELS")
    rm -rf "$venv"
    if ! { "${PYTHON:-python3}" -m venv "$venv" && "${pip[@]}" "${packages[@]}"; }; then
        echo "wgpu-py is left out: pip cannot install ${packages[*]}"
        [ "${CI-}" != true ] || exit 1
        exit 0
    fi
    echo "${packages[*]}" >"$venv/packages"
fi

for package in wgpu wgpudawn; do
    "$venv/bin/python" proof/python/golden.py --package "$package" "$@"
    echo
done
