#!/usr/bin/env bash
# The JavaScript package web/.
#
# usage: scripts/web.sh build [--debian]   builds web/dist: WebAssembly from web/wasm, JavaScript from web/src
#        scripts/web.sh demo [--debian]    the same, then target/web: the demo page, with all that it needs
#        scripts/web.sh test [--debian]    the same, then the tests in node, on Dawn, and in Chromium
#
#   --debian   Debian's compiler for WebAssembly, even where rustup has the target
#
# The tests run on the adapters that the environment names. `scripts/adapters.sh` finds and names software
# adapters; without its variables this script runs it. CHROMIUM is the path of the browser to test; without it, the
# browser is one that is installed, or Debian's, which is unpacked into target/.
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
    cp "$work/seedbed_web.d.ts" "$dist/wasm"
    # The passes that leave the smallest module when it is gzipped: -Oz removes bytes, and more of what repeats.
    node web/node_modules/binaryen/bin/wasm-opt -O1 --dae-optimizing --reorder-functions-by-name \
        --strip-debug --strip-producers "$work/seedbed_web_bg.wasm" -o "$work/small.wasm"
    mv "$work/small.wasm" "$out"
}

build_javascript() {
    local tsc=(node web/node_modules/typescript/bin/tsc --project web) modules=$work/modules
    rm -rf "$dist"/*.{js,d.ts} "$modules"
    # The comments are for readers of the declarations.
    "${tsc[@]}" --emitDeclarationOnly
    "${tsc[@]}" --declaration false --outDir "$modules"
    mkdir -p "$modules/wasm" && cp "$work/seedbed_web.js" "$modules/wasm"
    # What a program imports, and the module that the tests make fail. What they share lies in a file of its own.
    web/node_modules/.bin/esbuild "$modules"/{index,executor,wasm}.js --bundle --splitting --minify \
        --format=esm --target=es2022 --chunk-names=shared-[hash] --outdir="$dist" --log-level=warning
    # The minifier drops the comments that tell bundlers to leave node's modules alone.
    sed -i 's|await import(|&/* webpackIgnore: true */ /* @vite-ignore */ |' "$dist"/*.js
    grep -q 'webpackIgnore' "$dist"/*.js || fail "the import of node's modules has no comment for bundlers"
    # npm packs no file from outside of web/.
    cp LICENSE-* web
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

assemble_demo() {
    local folder=$PWD/target/web
    [ -d web/demo ] || fail "there is no demo page: web/demo is missing"
    rm -rf "$folder.part" && mkdir -p "$folder.part"
    cp -r web/demo/. "$folder.part"
    cp -r "$dist" "$folder.part/seedbed"
    cp tests/programs/fills.json "$folder.part/golden.json"
    rm -rf "$folder" && mv "$folder.part" "$folder"
    say "the demo page is in target/web"
}

# Finds Chromium, and sets CHROMIUM to its path. The libraries that a browser needs and the system lacks are
# unpacked beside it.
find_chromium() {
    local name folder=$PWD/target/chromium library_path
    if [ -n "${CHROMIUM-}" ]; then
        [ -x "$CHROMIUM" ] || fail "CHROMIUM is $CHROMIUM, which is no program: set it to the path of Chromium, or unset it"
        return
    fi
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        CHROMIUM=$(command -v "$name") && export CHROMIUM && return
    done
    unset CHROMIUM
    tar_options=()
    unpack_debian "$folder" chromium || return
    # The wrapper in usr/bin looks for files of an installed Chromium; the program itself needs none of them.
    CHROMIUM=$folder/seedbed-chromium
    library_path=$(find "$folder/usr/lib" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "'$library_path'" "'$folder/usr/lib/chromium/chromium'" >"$CHROMIUM"
    chmod +x "$CHROMIUM"
    export CHROMIUM
}

run_tests() {
    if [ -z "${SEEDBED_REQUIRE_ADAPTERS+set}" ]; then
        set -a
        eval "$(scripts/adapters.sh)"
        set +a
    fi
    if find_chromium; then
        say "browser: $CHROMIUM"
    else
        [ "${CI-}" != true ] || fail "Chromium is missing: install it, or set CHROMIUM to its path"
        say "Chromium is missing, so the browser is NOT tested: install it, or set CHROMIUM to its path"
    fi
    cd web
    node --test test/*.test.js
    if [ -n "${CHROMIUM-}" ] && compgen -G 'test/browser/*.test.js' >/dev/null; then
        node --test test/browser/*.test.js
    fi
}

case "$*" in
    build | demo | test | "build --debian" | "demo --debian" | "test --debian") ;;
    *) fail "usage: scripts/web.sh build|demo|test [--debian]" ;;
esac
command=$1
shift
if ! find_node node npm; then
    [ "$command" = test ] || fail "node or npm is missing: install Node.js 18 or newer"
    say "node or npm is missing, so the package is NOT tested: install Node.js 18 or newer"
    exit 0
fi
build "$@"
case $command in
    demo) assemble_demo ;;
    test) run_tests ;;
esac
