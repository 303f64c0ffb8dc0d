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

target=wasm32-unknown-unknown
cache=$PWD/target/wasm
program=scripts/wasm-user

say() { printf 'wasm: %s\n' "$*"; }
fail() {
    printf 'wasm: %s\n' "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null; }

# Unpacks Debian's compiler, with the packages that it depends on and the system lacks. The package lists are
# kept apart from the system's, so root is not needed and nothing is installed.
debian=$cache/debian
unpack_compiler() {
    local part=$debian.part packages deb
    [ -e "$debian" ] && return
    have apt-get || return
    say "unpacking Debian's rustc-web and rust-web-src into $debian"
    rm -rf "$part"
    mkdir -p "$part"/{lists,cache/archives}/partial "$part/root"
    local apt=(apt-get -qq -o "Dir::State::Lists=$part/lists" -o "Dir::Cache=$part/cache"
        -o Debug::NoLocking=1 -o APT::Sandbox::User=root)
    "${apt[@]}" update || return
    packages=$("${apt[@]}" --simulate --no-install-recommends install rustc-web rust-web-src) || return
    packages=$(sed -n 's/^Inst \([^ ]*\).*/\1/p' <<<"$packages")
    # shellcheck disable=SC2086 # one argument for each package
    (cd "$part" && "${apt[@]}" download $packages) || return
    for deb in "$part"/*.deb; do
        # Of the compiler's sources, the standard library alone.
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$part/root" --no-wildcards-match-slash \
            --exclude=./usr/share --exclude='./usr/src/*/[!l]*' || return
    done
    # The last step, so that a run that was cut off leaves nothing that looks complete.
    mv "$part/root" "$debian" && rm -rf "$part"
}

has_target() { [ -d "$(rustc --print target-libdir --target "$target")" ]; }

# Finds a compiler, and sets what cargo needs for it.
environment=()
options=()
find_compiler() {
    have cargo || fail "cargo is missing: install Rust from https://rustup.rs"
    if [ "${1-}" != --debian ]; then
        # A network without rustup's server may answer late or never.
        has_target || [ -e "$debian" ] || ! have rustup ||
            timeout 120 rustup target add "$target" || say "rustup cannot add the target"
        has_target && say "compiler: $(rustc --version)" && return
    fi
    unpack_compiler || fail "there is no compiler for $target: run" \
        "\`rustup target add $target\`, or use a Debian that has rustc-web 1.89 or newer"
    local rust=$debian/usr linker
    linker=$(find "$(rustc --print sysroot)/lib/rustlib" -name rust-lld -print -quit)
    [ -n "$linker" ] || fail "the linker rust-lld is missing: install Rust from https://rustup.rs"
    # Debian has the target without its standard library, and cargo builds that only if told that it may.
    environment=("RUSTC=$rust/bin/rustc" "LD_LIBRARY_PATH=$(echo "$rust"/lib/*-linux-gnu)"
        CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$linker" RUSTC_BOOTSTRAP=1)
    options=("-Zbuild-std=std,panic_abort")
    say "compiler: Debian's $(env "${environment[@]}" "$rust/bin/rustc" --version)"
}

# Finds node, which CI must have and gets.
find_node() {
    have node && return
    if [ "${CI-}" != true ]; then
        say "node is missing, so nothing will be RUN: install Node.js 18 or newer"
        return
    fi
    local root=()
    [ "$(id -u)" = 0 ] || root=(sudo -n)
    say "installing nodejs, which runs the builds"
    { "${root[@]}" apt-get -qq update && "${root[@]}" apt-get -qq install --no-install-recommends nodejs; } \
        >/dev/null || fail "node is missing: install Node.js 18 or newer"
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
    if have node; then node "$program/run.mjs" "$module"; fi
done
