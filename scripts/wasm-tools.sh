# What wasm.sh and web.sh share: a Rust compiler for wasm32-unknown-unknown, and node. Both scripts source this
# file in the root of the repository, after they have set `log`, the prefix of their messages.
# shellcheck shell=bash

target=wasm32-unknown-unknown
cache=$PWD/target/wasm

say() { printf '%s: %s\n' "${log:?}" "$*"; }
fail() {
    printf '%s: %s\n' "${log:?}" "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null; }

# Unpacks packages, with those that they depend on and the system lacks: unpack_debian FOLDER PACKAGE...
# The variable `tar_options` says what to leave out. The package lists are kept apart from the system's, so root
# is not needed and nothing is installed.
tar_options=()
unpack_debian() {
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
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$part/root" "${tar_options[@]}" || return
    done
    # The last step, so that a run that was cut off leaves nothing that looks complete.
    mv "$part/root" "$folder" && rm -rf "$part"
}

has_target() { [ -d "$(rustc --print target-libdir --target "$target")" ]; }

# Finds a compiler, and sets what cargo needs for it: find_compiler [--debian]
environment=()
options=()
find_compiler() {
    local debian=$cache/debian
    have cargo || fail "cargo is missing: install Rust from https://rustup.rs"
    if [ "${1-}" != --debian ]; then
        # A network without rustup's server may answer late or never.
        has_target || [ -e "$debian" ] || ! have rustup ||
            timeout 120 rustup target add "$target" || say "rustup cannot add the target"
        has_target && say "compiler: $(rustc --version)" && return
    fi
    # Of the compiler's sources, the standard library alone.
    tar_options=(--no-wildcards-match-slash --exclude=./usr/share --exclude='./usr/src/*/[!l]*')
    unpack_debian "$debian" rustc-web rust-web-src || fail "there is no compiler for $target: run" \
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

# Finds the programs of node that are named, such as `node npm`. CI must have them, and gets them. Elsewhere the
# result is false if one is missing.
find_node() {
    local program missing=()
    for program in "$@"; do have "$program" || missing+=("$program"); done
    [ ${#missing[@]} = 0 ] && return
    [ "${CI-}" = true ] || return
    local root=() packages=("${@/#node/nodejs}")
    [ "$(id -u)" = 0 ] || root=(sudo -n)
    say "installing ${packages[*]}"
    { "${root[@]}" apt-get -qq update && "${root[@]}" apt-get -qq install --no-install-recommends "${packages[@]}"; } \
        >/dev/null || fail "${missing[*]} is missing: install Node.js 18 or newer"
}
