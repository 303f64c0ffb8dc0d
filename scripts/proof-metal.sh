#!/usr/bin/env bash
# naga's Metal output of every kernel, compiled as C++ by clang at the harshest reading of what a Metal compiler may
# do, executed on the CPU and compared with the host, bit by bit.
#
#   proof-metal.sh           the golden lists and programs, every function of the generators for all 2^32 words, and
#                            the same without keep(), which must differ: half an hour on two cores
#   proof-metal.sh --quick   the functions for 2^20 words each: less than a minute on two cores
#
# SEEDBED_PROOF names the program seedbed-proof, if it is built. CXX names a compiler, clang or gcc. Without CXX the
# script takes the newest clang that is installed, and unpacks one of Debian's or Ubuntu's packages into
# target/proof/clang where none is. Nothing is installed.
set -euo pipefail
exec </dev/null
cd "$(dirname "$0")/.."
log='proof-metal'
# shellcheck source=scripts/wasm-tools.sh
. scripts/wasm-tools.sh
proof=${CARGO_TARGET_DIR:-$PWD/target}/proof

words=$((1 << 32))
case $# in
0) ;;
1)
    [ "$1" = --quick ] || fail "unknown argument $1"
    words=$((1 << 20))
    ;;
*) fail "one argument at most" ;;
esac

# Prints the newest clang from 14 on, out of folders of programs.
newest_clang() {
    local folder path version
    for folder in "$@"; do
        for path in "$folder"/clang++-[0-9]* "$folder"/clang++; do
            version=$("$path" -dumpversion 2>/dev/null) && printf '%s %s\n' "$version" "$path" || true
        done
    done | sort -V | awk '$1 >= 14 { path = $2 } END { print path }'
}

find_clang() {
    local version unpacked=$proof/clang lib
    # shellcheck disable=SC2086 # a list
    CXX=$(IFS=: && newest_clang $PATH)
    [ -z "$CXX" ] || return 0
    version=$(apt-cache pkgnames clang- 2>/dev/null | sed -n 's/^clang-\([0-9]*\)$/\1/p' | sort -n | tail -n 1) || true
    mkdir -p "$proof"
    unpack_debian "$unpacked" "clang-${version:-14}" ||
        fail "there is no clang: install one, from version 14 on, or name a compiler by CXX"
    lib=$(echo "$unpacked"/usr/lib/llvm-*/lib):$unpacked/usr/lib/$(uname -m)-linux-gnu
    export LD_LIBRARY_PATH=$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    CXX=$(newest_clang "$unpacked"/usr/lib/llvm-*/bin)
    [ -n "$CXX" ] || fail "$unpacked has no clang that runs: delete the folder, or name a compiler by CXX"
}

[ -n "${CXX:-}" ] || find_clang
program=${SEEDBED_PROOF:-${proof%/proof}/release/seedbed-proof}
[ -n "${SEEDBED_PROOF:-}" ] || cargo build --release -p seedbed-proof
run() { "$program" "$@" --compiler "$CXX" --cache "$proof/metal"; }
run metal
run metal --without-keep
run metal-words --words "$words"
run metal-words --words "$words" --flush
run metal-words --words "$words" --without-keep
