#!/usr/bin/env bash
# Carries seedbed to a machine with a GPU that needs no Rust, runs run.sh there, and brings the results back.
#
#   carry.sh USER@HOST [RESULTS_FOLDER]    over ssh, whose options are those of ~/.ssh/config
#   carry.sh local [RESULTS_FOLDER]        in a temporary folder of this machine
#   carry.sh --pack FILE.tar.gz            packs only; there: tar xzf FILE.tar.gz && seedbed-gpu/run.sh
#
# The variables of run.sh (ELEMENTS, GROWTH_ELEMENTS, PYTHON, VK_DRIVER_FILES, …) are handed on. The other machine
# needs this one's processor architecture and a glibc at least as new as the one that is printed.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
passed=(ELEMENTS GROWTH_ELEMENTS PYTHON VK_DRIVER_FILES VK_ICD_FILENAMES VK_ADD_DRIVER_FILES LD_LIBRARY_PATH WGPU_BACKEND
    CUDA_HOME)

usage() {
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

# Builds, and packs into the file $1.
pack() {
    local bench=$root/benches folder programs=()
    cargo build --release --locked --manifest-path "$root/Cargo.toml" -p seedbed-cli -p seedbed-bench >&2
    programs=("${CARGO_TARGET_DIR:-$root/target}"/release/seedbed{,-bench})
    folder=$work/pack/seedbed-gpu
    mkdir -p "$folder/models" "$folder/baselines"
    cp "${programs[@]}" "$bench/gpu/run.sh" "$folder"
    cp "$root/models/gpt2.json" "$folder/models"
    cp "$bench/baselines/"{pytorch,curand,sample}.py "$folder/baselines"
    # The newest of the symbols that the programs ask for.
    grep -aoh 'GLIBC_2\.[0-9]*' "${programs[@]}" | sort -uV | tail -n 1 | sed 's/GLIBC_//' >"$folder/glibc"
    uname -m >"$folder/machine"
    tar -C "$work/pack" -czf "$1" seedbed-gpu
    echo "$1: $(wc -c <"$1") bytes, for glibc $(cat "$folder/glibc") or newer on $(cat "$folder/machine")" >&2
}

# A word that any shell takes for this text.
quoted() { printf "'%s'" "${1//\'/\'\\\'\'}"; }

# The variables that are set, as words of a shell.
variables() {
    local name
    for name in "${passed[@]}"; do
        [ -z "${!name:-}" ] || printf '%s=%s ' "$name" "$(quoted "${!name}")"
    done
}

# Runs a command line of bash there.
there() {
    if [ "$host" = local ]; then
        bash -c "$1"
    else
        # shellcheck disable=SC2029 # It is meant to be put together here.
        ssh "$host" "bash -c $(quoted "$1")"
    fi
}

[ $# -ge 1 ] && [ $# -le 2 ] || usage
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ "$1" = --pack ]; then
    [ $# -eq 2 ] || usage
    pack "$2"
    exit
fi
case $1 in -*) usage ;; esac

host=$1
results=${2:-$root/target/gpu/${host//[^A-Za-z0-9.@_-]/_}}
pack "$work/seedbed-gpu.tar.gz"
folder=$(there 'mktemp -d')
# The folder goes away whatever happens.
trap 'there "rm -rf $folder" || true; rm -rf "$work"' EXIT
there "tar -C $folder -xzf -" <"$work/seedbed-gpu.tar.gz"
status=0
there "cd $folder && env $(variables) seedbed-gpu/run.sh results" </dev/null || status=$?
mkdir -p "$results"
there "tar -C $folder/results -cf - ." | tar -C "$results" -xf -
echo "the results are in $results; \`cargo run --release -p seedbed-bench -- growth --from $results/growth.json\` draws them"
exit "$status"
