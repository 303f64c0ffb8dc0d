#!/usr/bin/env bash
# The library on the web: builds the program in wasm-user/ for wasm32-unknown-unknown with each set of features below,
# and runs each build in node, which compares fills of the host engine with those of a native build.
#
# usage: scripts/wasm.sh [--debian]     --debian: Debian's compiler, even where rustup has the target
set -euo pipefail
cd "$(dirname "$0")/.."

# One build for each. A user of the library who turns its default features off has the first.
feature_sets=(
    ""
    "vectors"
    "threads,vectors" # the library's default features
    "wgpu"            # TODO(merge): wasm-user's feature `wgpu` must enable the library's, see wasm-user/Cargo.toml
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

# unpack FOLDER PACKAGE...: Debian's packages, and what they need beyond the installed ones, into FOLDER. Lists of packages
# of its own make it work without root, and nothing is installed.
unpack() {
    local folder=$1 part=$1.part
    shift
    [ -e "$folder" ] && return
    have apt-get || return
    say "unpacking Debian's $* into $folder"
    rm -rf "$part"
    mkdir -p "$part"/{lists,cache/archives}/partial "$part/root"
    local apt=(apt-get -qq -o "Dir::State::Lists=$part/lists" -o "Dir::Cache=$part/cache" -o Debug::NoLocking=1
        -o APT::Sandbox::User=root)
    "${apt[@]}" update || return
    local packages
    packages=$("${apt[@]}" --simulate --no-install-recommends install "$@" | sed -n 's/^Inst \([^ ]*\).*/\1/p') || return
    # shellcheck disable=SC2086 # one argument for each package
    (cd "$part" && "${apt[@]}" download $packages) || return
    local deb
    for deb in "$part"/*.deb; do
        # Of the compiler's sources, the standard library alone.
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$part/root" --no-wildcards-match-slash \
            --exclude=./usr/share --exclude='./usr/src/*/[!l]*' || return
    done
    # The last step, so that a run that was cut off leaves nothing that looks complete.
    mv "$part/root" "$folder" && rm -rf "$part"
}

has_target() { [ -d "$(rustc --print target-libdir --target "$target")" ]; }

# Finds a compiler: sets `environment` and `options`, what cargo needs for it.
environment=()
options=()
find_compiler() {
    have cargo || fail "cargo is missing: install Rust from https://rustup.rs"
    if [ "${1-}" != --debian ]; then
        has_target && say "compiler: $(rustc --version), which has the target" && return
        # A network without rustup's server may answer late or never.
        if [ ! -e "$cache/debian-rust" ] && have rustup && timeout 120 rustup target add "$target" && has_target; then
            say "compiler: $(rustc --version), to which rustup added the target"
            return
        fi
    fi
    unpack "$cache/debian-rust" rustc-web rust-web-src || fail "there is no compiler for $target. Remedy:" \
        "\`rustup target add $target\`, or a Debian with the packages rustc-web and rust-web-src, 1.89 or newer"
    local rust=$cache/debian-rust/usr linker
    linker=$(find "$(rustc --print sysroot)/lib/rustlib" -name rust-lld -print -quit)
    [ -n "$linker" ] || fail "rust-lld is missing: Debian's compiler links with that of a Rust from https://rustup.rs"
    environment=("RUSTC=$rust/bin/rustc" "LD_LIBRARY_PATH=$(echo "$rust"/lib/*-linux-gnu)"
        CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$linker" RUSTC_BOOTSTRAP=1)
    # Debian has the target without its standard library.
    options=("-Zbuild-std=std,panic_abort")
    say "compiler: Debian's $(env "${environment[@]}" "$rust/bin/rustc" --version), which builds the standard library"
}

# Finds node: sets `node`, the command; empty where there is none.
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
        say "NOT RUN, built only: node is missing; install Node.js 18 or newer to run the builds as CI does"
    fi
}

case "$*" in
    "" | --debian) find_compiler "$@" ;;
    *) fail "usage: scripts/wasm.sh [--debian]" ;;
esac
find_node
say "building natively, then for $target with ${#feature_sets[@]} sets of features"
build=(--quiet --release --manifest-path "$program/Cargo.toml" --target-dir "$cache/build")

cargo run "${build[@]}" || fail "a fill of the native build is wrong, see above"
say "native: every fill is right (${SECONDS} s since the start)"
for features in "${feature_sets[@]}"; do
    env "${environment[@]}" cargo build "${build[@]}" "${options[@]}" --target "$target" --features "$features"
    module=$cache/build/$target/release/seedbed-wasm-user.wasm
    say "features '$features': $(($(wc -c <"$module") / 1000)) kB (${SECONDS} s since the start)"
    [ ${#node[@]} = 0 ] || "${node[@]}" "$program/run.mjs" "$module"
done
