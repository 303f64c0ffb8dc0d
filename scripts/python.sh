#!/usr/bin/env bash
# The Python package python/.
#
# usage: scripts/python.sh build          builds the wheel into target/python/wheels
#        scripts/python.sh test [ARGS]    checks the format and clippy, then the same, then pytest with these arguments
#        scripts/python.sh lock           writes python/requirements.lock anew from requirements.in
#
# The packages of requirements.lock lie in target/python-venv. SEEDBED_BIN is the path of the program `seedbed` that the
# tests compare with; without it, the script builds the program. PYTHON is the interpreter for target/python-venv;
# without it, the newest that is found. The tests of launchers need Open MPI's mpirun; only CI installs it.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
lock=$root/python/requirements.lock
venv=$root/target/python-venv
cache=${CARGO_TARGET_DIR:-$root/target}/python

say() { printf 'python: %s\n' "$*"; }
fail() {
    printf 'python: %s\n' "$*" >&2
    exit 1
}

# Installs packages of the system, in CI alone.
provide() {
    [ "${CI-}" = true ] && command -v apt-get >/dev/null || return 0
    say "installing $*"
    local as_root=(sudo -n env DEBIAN_FRONTEND=noninteractive) output
    [ "$(id -u)" != 0 ] || as_root=(env DEBIAN_FRONTEND=noninteractive)
    output=$({ "${as_root[@]}" apt-get -qq update &&
        "${as_root[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"; } 2>&1) ||
        fail "cannot install $*: $output"
}

# The locked packages need Python 3.11; the wheel itself runs on 3.10. jaxlib and torch come late for a new Python.
fits() { "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

# Sets `python`.
find_python() {
    local name
    for name in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.11 python3; do
        if fits "$name"; then python=$(command -v "$name") && return; fi
        [ "$name" != "${PYTHON-}" ] || fail "PYTHON is $PYTHON, which is no Python 3.11 to 3.13 with venv and pip"
    done
    return 1
}

install_packages() {
    # The copy of the list is written when an installation is complete.
    cmp -s "$lock" "$venv/requirements.lock" && return
    say "installing the packages of requirements.lock (4 GB: PyTorch with its libraries) for $python"
    rm -rf "$venv" && "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$lock"
    cp "$lock" "$venv/requirements.lock"
}

build_wheel() {
    rm -rf "$cache/wheels"
    # maturin finds cargo and the compiler as this script does.
    "$venv/bin/maturin" build --quiet --release --locked --manifest-path python/Cargo.toml \
        --target-dir "$cache/build" --interpreter "$venv/bin/python" --out "$cache/wheels"
    wheel=$(ls "$cache"/wheels/*.whl)
    say "built $wheel, $(wc -c <"$wheel") bytes ($SECONDS s since the start)"
}

check_source() {
    local cargo=(--manifest-path python/Cargo.toml)
    cargo fmt "${cargo[@]}" --check
    # In a folder of its own: maturin builds PyO3 with other settings.
    PYO3_PYTHON=$venv/bin/python cargo clippy --quiet --release --locked "${cargo[@]}" \
        --target-dir "$cache/clippy" --all-targets -- -D warnings
    "$venv/bin/ruff" check --no-cache --quiet python
    "$venv/bin/ruff" format --no-cache --quiet --check python
    "$venv/bin/mypy" --strict --cache-dir "$cache/mypy" python/python/seedbed/_fill.py \
        python/python/seedbed/_memory.py python/python/seedbed/__init__.py
}

find_program() {
    if [ -z "${SEEDBED_BIN-}" ]; then
        cargo build --quiet --release --locked --package seedbed-cli
        SEEDBED_BIN=${CARGO_TARGET_DIR:-$root/target}/release/seedbed
    fi
    SEEDBED_BIN=$(realpath "$SEEDBED_BIN") && export SEEDBED_BIN
}

run_tests() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "$wheel"
    command -v mpirun >/dev/null || provide openmpi-bin
    command -v mpirun >/dev/null || say "mpirun is missing, so its launcher is NOT tested: install Open MPI"
    find_program
    # Each of several processes of a test would take all cores.
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} JAX_PLATFORMS=${JAX_PLATFORMS:-cpu}
    # Away from python/seedbed, which has no native half.
    cd python/tests
    "$venv/bin/python" -m pytest --rootdir .. -c ../pyproject.toml -p no:cacheprovider -rs --durations 5 . "$@"
}

command=${1-}
[ "$command" != lock ] || rm -rf "$venv"
case $command in
    build | test | lock) shift ;;
    *) fail "usage: scripts/python.sh build|test [ARGUMENTS OF PYTEST]|lock" ;;
esac
if ! find_python; then
    provide python3-venv
    if ! find_python; then
        reason="Python 3.11 to 3.13 with venv is missing: install it, or set PYTHON to its path"
        [ "${CI-}" != true ] && [ "$command" = test ] || fail "$reason"
        say "$reason. The package is NOT tested"
        exit 0
    fi
fi
if [ "$command" = lock ]; then
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade -r python/requirements.in
    {
        echo "# Written by scripts/python.sh lock from requirements.in."
        # The libraries of a GPU exist for one system alone; PyTorch for the CPU needs none elsewhere.
        "$venv/bin/python" -m pip freeze | sed -E '/^(cuda|nvidia|triton)/s/$/; sys_platform == "linux"/'
    } >"$lock"
    cp "$lock" "$venv/requirements.lock"
    exit
fi
install_packages
[ "$command" = build ] || check_source
build_wheel
[ "$command" = build ] || run_tests "$@"
