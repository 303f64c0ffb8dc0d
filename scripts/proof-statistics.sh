#!/usr/bin/env bash
# TestU01's batteries (L'Ecuyer, Simard 2007) on seedbed's words.
#
# usage: scripts/proof-statistics.sh [OPTION]... SUITE STREAM [SUITE STREAM]...
#        scripts/proof-statistics.sh [OPTION]... plan     SmallCrush and Crush of all streams, BigCrush of `one`
#        scripts/proof-statistics.sh --out FOLDER summary
#
#   SUITE           SmallCrush, Crush or BigCrush
#   STREAM          one, named, fold-in or halves (seedbed-proof words --help)
#   --jobs N        tests at a time; each takes two processes, and one of them little time (1)
#   --adapter NAME  the adapter that computes the words (host); streams by fold_in come from the host always
#   --seed N        the seed of the words (0)
#   --test N        this test alone, to repeat it with other seeds
#   --control N     bad words, by Philox of N rounds, to see what the tests notice
#   --out FOLDER    where the results lie: SUITE.tsv, a line for each statistic (target/proof/statistics)
#   --minutes M     begin no test after so many minutes, and end those that still run then
#   --pack FOLDER   build, put everything that a machine without tools needs into the folder, and end. On that
#                   machine, run FOLDER/proof-statistics.sh with the other arguments
#
# A test whose results lie in the folder is not run again. Each test of a battery reads a stretch of the stream of its
# own, which begins at word `number of the test` * 2^40; no test reads 2^40 words. So the tests run in any order and at
# the same time. Needs gcc; the library comes from Debian (bookworm, non-free) and is unpacked into target/proof.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

say() { printf 'statistics: %s\n' "$*"; }
fail() {
    printf 'statistics: %s\n' "$*" >&2
    exit 1
}

jobs=1 adapter=host seed=0 test='' control='' out='' minutes='' pack=''
while [ $# -gt 0 ]; do
    case $1 in
        --jobs | --adapter | --seed | --test | --control | --out | --minutes | --pack)
            [ $# -ge 2 ] || fail "$1 needs a value"
            printf -v "${1#--}" %s "$2"
            shift 2
            ;;
        --*) fail "the option $1 is unknown" ;;
        *) break ;;
    esac
done

# Unpacks the library, builds both programs: build
build() {
    local root=$PWD/target/proof/testu01 part=$PWD/target/proof/testu01.part deb
    if [ ! -e "$root" ]; then
        say "unpacking Debian's TestU01 into $root"
        rm -rf "$part" && mkdir -p "$part"/{lists,cache/archives}/partial "$part/root"
        # A list of sources of its own: the system's need not have `non-free`, and nothing is installed.
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm" \
            "main non-free" >"$part/sources.list"
        local apt=(apt-get -qq -o "Dir::Etc::SourceList=$part/sources.list" -o Dir::Etc::SourceParts=/dev/null
            -o "Dir::State::Lists=$part/lists" -o "Dir::Cache=$part/cache" -o Debug::NoLocking=1
            -o APT::Sandbox::User=root)
        "${apt[@]}" update
        (cd "$part" && "${apt[@]}" download libtestu01-0-dev libtestu01-0-dev-common libgmp-dev)
        for deb in "$part"/*.deb; do dpkg-deb -x "$deb" "$part/root"; done
        mv "$part/root" "$root" && rm -rf "$part"
    fi
    local usr=$root/usr machine
    machine=$(gcc -dumpmachine)
    # Static, so that the program runs on machines without the library.
    gcc -O2 -Wall -Wextra -Werror -static -I"$usr/include" -I"$usr/include/$machine" -I"$usr/include/testu01" \
        -I"$usr/include/$machine/testu01" proof/testu01.c -o target/proof/testu01-battery -L"$usr/lib/$machine" \
        -ltestu01 -ltestu01probdist -ltestu01mylib -lgmp -lm
    cargo build --quiet --release -p seedbed-proof
    words=${CARGO_TARGET_DIR:-target}/release/seedbed-proof battery=$PWD/target/proof/testu01-battery
}

if [ -e "$here/testu01-battery" ]; then
    # A packed folder.
    words=$here/seedbed-proof battery=$here/testu01-battery
    out=${out:-$here/results${control:+-control-$control}}
else
    cd "$here/.."
    out=${out:-target/proof/statistics${control:+-control-$control}}
    [ "${1-}" = summary ] || build
    words=$(realpath "${words:-.}")
fi
if [ -n "$pack" ]; then
    mkdir -p "$pack"
    cp "$words" "$battery" "$here/proof-statistics.sh" "$pack"
    for suite in SmallCrush Crush BigCrush; do
        [ ! -e "proof/results/$suite.tsv" ] || cp "proof/results/$suite.tsv" "$pack/seconds-$suite.tsv"
    done
    say "packed $(du -sh "$pack" | cut -f1) into $pack"
    exit
fi

# Prints the number of p-values, and those that are outside [0.001, 0.999]: summary
summary() {
    local tables=()
    for suite in SmallCrush Crush BigCrush; do
        [ ! -e "$out/$suite.tsv" ] || tables+=("$out/$suite.tsv")
    done
    [ ${#tables[@]} -gt 0 ] || fail "there are no results in $out"
    # Columns: stream, seed, words by, suite, test, statistic, p-value, words, seconds.
    sort -t "$(printf '\t')" -k4,4r -k1,2 -k5,5n "${tables[@]}" | awk -F '\t' '
        $1 == "stream" { next }
        {
            of = $4 "\t" $1 "\tseed " $2
            if (!(of in values)) order[++count] = of
            values[of]++; words[of] += last[of] == $5 ? 0 : $8; seconds[of] += last[of] == $5 ? 0 : $9
            tests[of] += last[of] != $5; last[of] = $5
            if ($7 >= 0 && ($7 < 0.001 || $7 > 0.999)) outside[of] = outside[of] "\n    test " $5 ", " $6 ": p = " $7
            n[of] += $7 >= 0 && ($7 < 0.001 || $7 > 0.999)
        }
        END {
            for (i = 1; i <= count; i++) {
                of = order[i]
                printf "%s: %d tests, %d p-values, %.3g words, %.0f s; outside [0.001, 0.999]: %d%s\n",
                    of, tests[of], values[of], words[of], seconds[of], n[of], outside[of]
            }
        }'
}

[ "${1-}" != summary ] || {
    summary
    exit
}
[ "${1-}" != plan ] || set -- SmallCrush one SmallCrush named SmallCrush fold-in SmallCrush halves \
    Crush one Crush named Crush fold-in Crush halves BigCrush one
[ $# -gt 0 ] && [ $(($# % 2)) = 0 ] || fail "usage: proof-statistics.sh [OPTION]... SUITE STREAM [SUITE STREAM]..."
mkdir -p "$out"

# The seconds of a test that never ran.
unknown=99999

# Writes the tests to be run, the longest of a battery first by the results that exist, a line for each.
list() {
    local suite stream number count tables
    while [ $# -gt 0 ]; do
        suite=$1 stream=$2
        shift 2
        case $stream in one | named | fold-in | halves) ;; *) fail "the stream $stream is unknown" ;; esac
        count=$("$battery" "$suite" count) || fail "the suite $suite is unknown"
        tables=()
        for table in "$out/$suite.tsv" "$here/seconds-$suite.tsv" "$here/../proof/results/$suite.tsv"; do
            [ ! -e "$table" ] || tables+=("$table")
        done
        # A test of unknown length comes first.
        for ((number = 1; number <= count; number++)); do printf '%d\t%d\n' "$number" "$unknown"; done |
            cat - <(cat /dev/null "${tables[@]}" | awk -F '\t' '$1 != "stream" { print $5 "\t" $9 }') |
            awk '{ seconds[$1] = $2 } END { for (test in seconds) print test, seconds[test] }' |
            sort -k2,2nr -k1,1n |
            while read -r number seconds; do
                [ "${test:-$number}" = "$number" ] || continue
                [ -e "$out/$suite.tsv" ] && awk -F '\t' -v stream="$stream" -v seed="$seed" -v test="$number" \
                    '$1 == stream && $2 == seed && $5 == test { found = 1 } END { exit !found }' "$out/$suite.tsv" ||
                    printf '%s %s %d %s\n' "$suite" "$stream" "$number" "$seconds"
            done
    done
}

# Runs one test: one SUITE STREAM TEST SECONDS
# shellcheck disable=SC2329 # Called by xargs.
one() {
    local suite=$1 stream=$2 test=$3 seconds=$4 by=$adapter left=() now result
    [ "$stream" != fold-in ] || by=host
    if [ -n "$deadline" ]; then
        now=$(date +%s)
        # A test that would not end in time makes room for a shorter one. A test of unknown length tries.
        [ "$now" -lt "$deadline" ] || return 0
        [ "${seconds%.*}" = "$unknown" ] || [ $((now + ${seconds%.*})) -lt "$deadline" ] || return 0
        left=(timeout $((deadline - now)))
    fi
    result=$("$words" words --stream "$stream" --seed "$seed" --skip $((test << 40)) --adapter "$by" \
        ${control:+--control "$control"} | "${left[@]}" "$battery" "$suite" "$test") || {
        [ -n "$deadline" ] && [ "$(date +%s)" -ge "$deadline" ] && return 0
        say "$suite $stream $test failed" >&2
        # The rest goes on; the next run tries this test again.
        return 1
    }
    # One write, so that processes do not cut each other's lines.
    awk -v head="$stream	$seed	$by" '{ all = all head "\t" $0 "\n" } END { printf "%s", all }' <<<"$result" \
        >>"$out/$suite.tsv"
}
export -f one say
export unknown words battery out adapter seed control
export deadline='' RAYON_NUM_THREADS=2 XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/tmp}
[ -z "$minutes" ] || deadline=$(($(date +%s) + minutes * 60))

while read -r suite; do
    [ -e "$out/$suite.tsv" ] ||
        printf 'stream\tseed\twords by\tsuite\ttest\tstatistic\tp-value\twords\tseconds\n' >"$out/$suite.tsv"
done < <(printf '%s %s\n' "$@" | cut -d ' ' -f 1 | sort -u)
tests=$(list "$@")
say "$(grep -c . <<<"$tests" || true) tests to be run, $jobs at a time"
status=0
[ -z "$tests" ] || xargs -P "$jobs" -L 1 bash -c 'one "$@"' one <<<"$tests" || status=$?
summary
exit $status
