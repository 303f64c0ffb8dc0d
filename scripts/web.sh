#!/usr/bin/env bash
# The JavaScript package web/.
#
# usage: scripts/web.sh build [--debian]   builds web/dist: WebAssembly from web/wasm, JavaScript from web/src
#        scripts/web.sh test [--debian]    the same, then the tests in node, on Dawn, and in Chromium
#
#   --debian   Debian's compiler for WebAssembly, even where rustup has the target
#
# The tests run on the adapters that the environment names. `scripts/adapters.sh` finds and names software
# adapters; without its variables this script runs it. CHROMIUM names the browser to test.
set -euo pipefail
cd "$(dirname "$0")/.."
log=web
# shellcheck source=scripts/wasm-tools.sh
source scripts/wasm-tools.sh

# The most bytes of the whole package, each file gzipped.
max_gzipped=150000

dist=$PWD/web/dist
work=$cache/web

install_packages() {
    # npm writes this file when an installation is complete.
    [ web/node_modules/.package-lock.json -nt web/package-lock.json ] && return
    say "installing the development packages (300 MB: Dawn for node, binaryen, TypeScript, playwright-core)"
    (cd web && npm ci --no-audit --no-fund --loglevel=error)
}

build_wasm() {
    local cargo=(--quiet --manifest-path web/wasm/Cargo.toml --target-dir "$cache/build")
    local module=$cache/build/$target/release/seedbed_web.wasm bindgen=$cache/build/tool/seedbed-web-bindgen
    local out=$dist/wasm/seedbed_web_bg.wasm
    env "${environment[@]}" cargo build "${cargo[@]}" --release --target "$target" "${options[@]}"
    cargo build "${cargo[@]}" --profile tool --package seedbed-web-bindgen
    [ "$out" -nt "$module" ] && [ "$out" -nt "$bindgen" ] && [ "$out" -nt scripts/web.sh ] && return
    rm -rf "$work" && mkdir -p "$work" "$dist/wasm"
    "$bindgen" "$module" "$work"
    cp "$work"/seedbed_web.{js,d.ts} "$dist/wasm"
    node web/node_modules/binaryen/bin/wasm-opt -Oz --strip-debug --strip-producers \
        "$work/seedbed_web_bg.wasm" -o "$work/small.wasm"
    mv "$work/small.wasm" "$out"
}

build_javascript() {
    local tsc=(node web/node_modules/typescript/bin/tsc --project web)
    rm -f "$dist"/*.{js,d.ts}
    # The comments are for readers of the declarations.
    "${tsc[@]}" --emitDeclarationOnly
    "${tsc[@]}" --declaration false --removeComments
}

print_sizes() {
    local file bytes gzipped all=0 all_gzipped=0
    while read -r file; do
        bytes=$(wc -c <"$file") gzipped=$(gzip -9c "$file" | wc -c)
        all=$((all + bytes)) all_gzipped=$((all_gzipped + gzipped))
        printf '%8d bytes, %7d gzipped  %s\n' "$bytes" "$gzipped" "${file#"$dist/"}"
    done < <(find "$dist" -name '*.js' -o -name '*.wasm' | sort)
    printf '%8d bytes, %7d gzipped  in all\n' "$all" "$all_gzipped"
    [ "$all_gzipped" -le "$max_gzipped" ] || fail "the package is larger than $max_gzipped bytes gzipped"
}

build() {
    find_compiler "$@"
    install_packages
    build_wasm
    build_javascript
    print_sizes
    say "built web/dist ($SECONDS s since the start)"
}

run_tests() {
    if [ -z "${SEEDBED_REQUIRE_ADAPTERS+set}" ]; then
        set -a
        eval "$(scripts/adapters.sh)"
        set +a
    fi
    cd web
    node --test test/*.test.js
}

case "$*" in
    build | test | "build --debian" | "test --debian") ;;
    *) fail "usage: scripts/web.sh build|test [--debian]" ;;
esac
command=$1
shift
if ! find_node node npm; then
    [ "$command" = test ] || fail "node or npm is missing: install Node.js 18 or newer"
    say "node or npm is missing, so the package is NOT tested: install Node.js 18 or newer"
    exit 0
fi
build "$@"
if [ "$command" = test ]; then run_tests; fi
