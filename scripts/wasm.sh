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
    "vectors"
    "threads,vectors" # the library's default features
    # TODO(merge): wasm-user's feature `wgpu` must enable the library's: see wasm-user/Cargo.toml.
    "wgpu"
)

target=wasm32-unknown-unknown
cache=$PWD/target/wasm
program=scripts/wasm-user

say() { printf 'wasm: %s\n' "$*"; }
fail() {
    printf 'wasm: %s\n' "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null; }

# unpack FOLDER PACKAGE...: Debian's packages, and what they need beyond the installed ones, into FOLDER.
# Package lists of its own spare it root, and nothing is installed.
unpack() {
    local folder=$1 part=$1.part packages deb
    shift
    [ -e "$folder" ] && return
    have apt-get || return
    say "unpacking Debian's $* into $folder"
    rm -rf "$part"
    mkdir -p "$part"/{lists,cache/archives}/partial "$part/root"
    local apt=(apt-get -qq -o "Dir::State::Lists=$part/lists" -o "Dir::Cache=$part/cache"
        -o Debug::NoLocking=1 -o APT::Sandbox::User=root)
    "${apt[@]}" update || return
    packages=$("${apt[@]}" --simulate --no-install-recommends install "$@") || return
    packages=$(sed -n 's/^Inst \([^ ]*\).*/\1/p' <<<"$packages")
    # shellcheck disable=SC2086 # one argument for each package
    (cd "$part" && "${apt[@]}" download $packages) || return
    for deb in "$part"/*.deb; do
        # Of the compiler's sources, the standard library alone.
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$part/root" --no-wildcards-match-slash \
            --exclude=./usr/share --exclude='./usr/src/*/[!l]*' || return
    done
    # The last step, so that a run that was cut off leaves nothing that looks complete.
    mv "$part/root" "$folder" && rm -rf "$part"
}

has_target() { [ -d "$(rustc --print target-libdir --target "$target")" ]; }

# Finds a compiler, and sets what cargo needs for it.
environment=()
options=()
find_compiler() {
    have cargo || fail "cargo is missing: install Rust from https://rustup.rs"
    if [ "${1-}" != --debian ]; then
        # A network without rustup's server may answer late or never.
        has_target || [ -e "$cache/debian-rust" ] || ! have rustup ||
            timeout 120 rustup target add "$target" || say "rustup cannot add the target"
        has_target && say "compiler: $(rustc --version)" && return
    fi
    unpack "$cache/debian-rust" rustc-web rust-web-src || fail "there is no compiler for $target: run" \
        "\`rustup target add $target\`, or use a Debian that has rustc-web 1.89 or newer"
    local rust=$cache/debian-rust/usr linker
    linker=$(find "$(rustc --print sysroot)/lib/rustlib" -name rust-lld -print -quit)
    [ -n "$linker" ] || fail "the linker rust-lld is missing: install Rust from https://rustup.rs"
    # Debian has the target without its standard library, and cargo builds that only if told that it may.
    environment=("RUSTC=$rust/bin/rustc" "LD_LIBRARY_PATH=$(echo "$rust"/lib/*-linux-gnu)"
        CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$linker" RUSTC_BOOTSTRAP=1)
    options=("-Zbuild-std=std,panic_abort")
    say "compiler: Debian's $(env "${environment[@]}" "$rust/bin/rustc" --version)"
}

# Finds node: the command, or nothing.
node=()
find_node() {
    if have node; then
        node=(node)
    elif unpack "$cache/debian-node" nodejs; then
        local root=$cache/debian-node/usr
        node=(env "LD_LIBRARY_PATH=$(echo "$root"/lib/*-linux-gnu)" "$root/bin/node")
    elif [ "${CI-}" = true ]; then
        fail "node is missing: install Node.js 18 or newer"
    else
        say "node is missing, so nothing will be RUN: install Node.js 18 or newer"
    fi
}

case "$*" in
    "" | --debian) find_compiler "$@" ;;
    *) fail "usage: scripts/wasm.sh [--debian]" ;;
esac
find_node
say "building natively, then for $target with ${#feature_sets[@]} sets of features"
build=(--quiet --release --manifest-path "$program/Cargo.toml" --target-dir "$cache/build")

cargo run "${build[@]}" || fail "the program fails natively already"
say "native: every fill is right (${SECONDS} s since the start)"
build+=(--target "$target" "${options[@]}")
for features in "${feature_sets[@]}"; do
    env "${environment[@]}" cargo build "${build[@]}" --features "$features"
    module=$cache/build/$target/release/seedbed-wasm-user.wasm
    say "features '$features': $(($(wc -c <"$module") / 1000)) kB (${SECONDS} s since the start)"
    [ ${#node[@]} = 0 ] || "${node[@]}" "$program/run.mjs" "$module"
done
