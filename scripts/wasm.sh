#!/usr/bin/env bash
# The library on the web: builds wasm-user/, a program, for wasm32-unknown-unknown with each set of features
# below, and runs each build in node, where the program compares fills of the host engine with golden values.
#
# usage: scripts/wasm.sh [--debian]     --debian: Debian's compiler, even where rustup has the target
set -euo pipefail
cd "$(dirname "$0")/.."

# One build for each. A user of the library who turns its default features off has the first.
feature_sets=(
    ""
    "threads,vectors"
    "wgpu"
    "wgpu,threads,vectors" # the library's default features
)

program=scripts/wasm-user
log=wasm
# shellcheck source=scripts/wasm-tools.sh
source scripts/wasm-tools.sh

case "$*" in
    "" | --debian) find_compiler "$@" ;;
    *) fail "usage: scripts/wasm.sh [--debian]" ;;
esac
find_node node || say "node is missing, so nothing will be RUN: install Node.js 18 or newer"
say "building natively, then for $target with ${#feature_sets[@]} sets of features"
build=(--quiet --release --manifest-path "$program/Cargo.toml" --target-dir "$cache/build")

cargo run "${build[@]}" || fail "the program fails natively already"
say "native: every fill is right (${SECONDS} s since the start)"
build+=(--target "$target" "${options[@]}")
for features in "${feature_sets[@]}"; do
    env "${environment[@]}" cargo build "${build[@]}" --features "$features"
    module=$cache/build/$target/release/seedbed-wasm-user.wasm
    say "features '$features': $(($(wc -c <"$module") / 1000)) kB (${SECONDS} s since the start)"
    if have node; then node "$program/run.mjs" "$module"; fi
done
