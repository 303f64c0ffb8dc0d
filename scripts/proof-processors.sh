#!/usr/bin/env bash
# The host engine on other processors: builds the library's unit tests and tests/programs for each processor, and runs
# them, by qemu's emulation of a process. tests/programs compares the golden values of every initialiser and element
# type, and the golden programs that the planner makes.
#
# usage: scripts/proof-processors.sh [--golden] [--debian] [PROCESSOR...]
#
#   --golden   tests/programs alone
#   --debian   Debian's compiler, even where rustup has the target
#
# The processors are aarch64 (the vector instructions NEON), s390x (big-endian), i686 (pointers of 32 bits; it needs no
# emulation on x86-64) and riscv64gc. Without a name, the first three run. Everything lies in target/proof.
set -euo pipefail
cd "$(dirname "$0")/.."

log=processors
# shellcheck source=scripts/wasm-tools.sh
source scripts/wasm-tools.sh
cache=$PWD/target/proof
build=$cache/processors

# The library as a package that has none of the dependencies for other tests: cargo would build wgpu, for minutes, for
# each target.
make_package() {
    local package=$cache/package dependencies="serde_json|sha2"
    [ -n "$golden" ] || dependencies+="|libm|naga|proptest"
    rm -rf "$package" && mkdir -p "$package"
    ln -s "$PWD"/{src,shaders,tests,docs,README.md} "$package"
    cp Cargo.lock "$package"
    awk -v dependencies="^($dependencies) = " '
        /^\[/ { section = $0 }
        /^members = / { print "members = [\".\"]"; next }
        section == "[[bench]]" { next }
        section == "[dev-dependencies]" && /^[a-z]/ && $0 !~ dependencies { next }
        /^\[\[test/ { held = $0; next }
        held != "" { if (/"programs"/) print held; else skip = 1; held = "" }
        /^$/ { skip = 0 }
        !skip { print }
    ' Cargo.toml >"$package/Cargo.toml"
}

# What a processor needs of Debian beside the emulator. The compilers link; nothing of the library is C.
cross_packages() {
    case $1 in
        aarch64) echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross ;;
        i686) echo gcc-i686-linux-gnu libc6-dev-i386-cross ;;
        riscv64gc) echo gcc-riscv64-linux-gnu libc6-dev-riscv64-cross ;;
        s390x) echo gcc-s390x-linux-gnu libc6-dev-s390x-cross ;;
        *) fail "unknown processor $1: name some of aarch64, i686, riscv64gc and s390x" ;;
    esac
}

# Sets `runner`, the emulator of a processor. This machine runs programs of i686 itself.
find_runner() {
    local name=qemu-${1/riscv64gc/riscv64}-static
    runner=
    [ "$1" = i686 ] && [ "$(uname -m)" = x86_64 ] && return
    runner=$(command -v "$name") && return
    unpack_debian "$cache/qemu" qemu-user-static || return
    runner=$cache/qemu/usr/bin/$name
    [ -x "$runner" ]
}

# Programs are linked statically, so that they need no files of their processor. The linker lies in a folder of its
# own, and needs its libraries from there.
make_linker() {
    local folder=$cache/gcc-$1 gcc packages
    read -ra packages <<<"$(cross_packages "$1")"
    unpack_debian "$folder" "${packages[@]}" || return
    gcc=$(find "$folder/usr/bin" -name "${1/gc/}-linux-gnu-gcc") && [ -n "$gcc" ] || return
    linker=$cache/link-$1
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$folder/usr/lib/$(uname -m)-linux-gnu" "$gcc" >"$linker"
    chmod +x "$linker"
}

prove() {
    local processor=$1 start=$SECONDS prefix output=$cache/processors-$1.log
    target=$processor-unknown-linux-gnu
    find_runner "$processor" || { left_out "$processor" "Debian's qemu-user-static is out of reach" && return; }
    make_linker "$processor" || { left_out "$processor" "Debian's cross compiler is out of reach" && return; }
    environment=() options=()
    find_compiler ${debian:+"$debian"}
    [ ${#options[@]} = 0 ] || options=("-Zbuild-std=std,panic_unwind,proc_macro,test")
    prefix=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")
    environment+=("${prefix}_LINKER=$linker" "${prefix}_RUSTFLAGS=-C target-feature=+crt-static")
    [ -z "$runner" ] || environment+=("${prefix}_RUNNER=$runner")
    local tests=(test --release --manifest-path "$cache/package/Cargo.toml" --target-dir "$build" --target "$target"
        --no-default-features --features "threads,vectors,serde" --test programs "${options[@]}")
    [ -n "$golden" ] || tests+=(--lib)
    env "${environment[@]}" cargo "${tests[@]}" --no-run
    say "$processor: built ($((SECONDS - start)) s)"
    start=$SECONDS
    if ! env "${environment[@]}" cargo "${tests[@]}" >"$output" 2>&1; then
        cat "$output"
        fail "$processor: tests failed"
    fi
    grep '^test result' "$output"
    say "$processor: every test passed ($((SECONDS - start)) s)"
}

left_out() {
    [ "${CI-}" != true ] || fail "$1: $2"
    say "$1 is left out: $2"
}

debian='' golden=''
while [[ ${1-} == --* ]]; do
    case $1 in
        --debian) debian=$1 ;;
        --golden) golden=$1 ;;
        *) fail "usage: scripts/proof-processors.sh [--golden] [--debian] [PROCESSOR...]" ;;
    esac
    shift
done
[ $# != 0 ] || set -- aarch64 s390x i686
for processor in "$@"; do cross_packages "$processor" >/dev/null; done
mkdir -p "$cache"
make_package
for processor in "$@"; do prove "$processor"; done
