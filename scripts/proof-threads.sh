#!/usr/bin/env bash
# ThreadSanitizer over scripts/threads-user: eight threads on the host engine, a planner, a recorder, a model. The standard
# library is built with the sanitizer too, because a library without it hides the order that locks make.
#
# usage: scripts/proof-threads.sh
#
# The sanitizer sees every access of Rust code: the library, rayon, wgpu without a driver, the standard library. It sees
# one schedule of each run, and no driver's threads. The library itself has no unsafe code, so the compiler rules out data
# races of its own; what is left is a dependency's. Neither sees a deadlock or a wrong result of a race between locks: the
# program compares results for that.
#
# Needs Debian's rustc-web with its sources (unpacked into target/, not installed) and rustup's sanitizer runtime.
set -euo pipefail
cd "$(dirname "$0")/.."

program=scripts/threads-user
log=threads
# shellcheck source=scripts/wasm-tools.sh
source scripts/wasm-tools.sh

target=x86_64-unknown-linux-gnu
debian=$cache/debian # The compiler that scripts/wasm.sh --debian unpacks.
proof=$PWD/target/proof/threads

[ "$#" = 0 ] || fail "usage: scripts/proof-threads.sh"
[ "$(uname -sm)" = "Linux x86_64" ] || fail "the recipe is for Linux on x86-64"
runtime=$(find "$(rustc --print target-libdir)" -name 'librustc-*_rt.tsan.a' -print -quit)
[ -n "$runtime" ] || fail "rustc has no runtime of ThreadSanitizer: install Rust from https://rustup.rs"
tar_options=(--no-wildcards-match-slash --exclude=./usr/share --exclude='./usr/src/*/[!l]*')
unpack_debian "$debian" rustc-web rust-web-src || fail "Debian's rustc-web and rust-web-src cannot be unpacked here"

# GNU's linker finds no `tmpnam` for the runtime, so rustup's lld links.
lld=$(rustc --print target-libdir)/../bin/gcc-ld
flags=(-Zsanitizer=thread -Zexternal-clangrt -Clink-arg=-Wl,--whole-archive "-Clink-arg=$runtime"
    -Clink-arg=-Wl,--no-whole-archive -Clink-arg=-lpthread -Clink-arg=-lm -Clink-arg=-lc -Cdebuginfo=1
    "-Clink-arg=-B$lld" -Clink-arg=-fuse-ld=lld)
environment=("RUSTC=$debian/usr/bin/rustc" "LD_LIBRARY_PATH=$(echo "$debian"/usr/lib/*-linux-gnu)" RUSTC_BOOTSTRAP=1
    "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS=${flags[*]}")
say "compiler: $(env "${environment[@]}" "$debian/usr/bin/rustc" --version)"

# Builds a program with the sanitizer, and runs it: sanitized MANIFEST NAME
sanitized() {
    env "${environment[@]}" cargo build --quiet --release --manifest-path "$1" --target "$target" \
        --target-dir "$proof/build" -Zbuild-std=std,panic_unwind
    TSAN_OPTIONS="halt_on_error=0 exitcode=66" "$proof/build/$target/release/$2"
}

# A race that the sanitizer has to find, so that its silence means something.
mkdir -p "$proof/control/src"
cat >"$proof/control/Cargo.toml" <<'CONTROL'
[workspace]
[package]
name = "control"
version = "0.1.0"
edition = "2024"
CONTROL
cat >"$proof/control/src/main.rs" <<'CONTROL'
struct Shared(std::cell::UnsafeCell<u64>);
unsafe impl Sync for Shared {}
static COUNTER: Shared = Shared(std::cell::UnsafeCell::new(0));
fn main() {
    // All begin together: a thread that ends before the next one begins may be ordered before it.
    let barrier = std::sync::Barrier::new(8);
    let add = || {
        barrier.wait();
        (0..1000).for_each(|_| unsafe { *std::hint::black_box(COUNTER.0.get()) += 1 });
    };
    std::thread::scope(|scope| (0..8).for_each(|_| _ = scope.spawn(&add)));
}
CONTROL
status=0
sanitized "$proof/control/Cargo.toml" control 2>"$proof/control.log" || status=$?
if [ "$status" != 66 ] || ! grep -q "WARNING: ThreadSanitizer: data race" "$proof/control.log"; then
    cat "$proof/control.log"
    fail "the sanitizer does not find a planted race (status $status)"
fi
say "the planted race is found ($SECONDS s since the start)"

status=0
sanitized "$program/Cargo.toml" seedbed-threads-user 2>"$proof/report.log" || status=$?
if [ "$status" != 0 ]; then
    cat "$proof/report.log"
    fail "status $status, $(grep -c 'WARNING: ThreadSanitizer' "$proof/report.log") reports"
fi
say "no report ($SECONDS s since the start)"
