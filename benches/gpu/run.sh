#!/usr/bin/env bash
# Measures seedbed on this machine's GPU, beside PyTorch and cuRAND, and compares the bits with those of the host.
# Made for a machine without Rust: carry.sh puts it beside the programs. Usage: run.sh [RESULTS_FOLDER]
#
#   ELEMENTS         elements of a fill [67108864]
#   GROWTH_ELEMENTS  elements of the largest fill of `seedbed-bench growth` [1073741824]
#   PYTHON           an interpreter with torch, for the baselines [python3]
#   VK_DRIVER_FILES, VK_ADD_DRIVER_FILES, LD_LIBRARY_PATH, WGPU_BACKEND, CUDA_HOME: as everywhere; where one of the
#                    first two is set, no Vulkan driver is looked for
#
# What is missing is "left out: WHY". Exit codes: 0, or 1 where seedbed failed or its bits differ.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
results=${1:-results}
elements=${ELEMENTS:-67108864}
growth=${GROWTH_ELEMENTS:-1073741824}
python=${PYTHON:-python3}
failures=0

say() { printf '\n== %s\n' "$*"; }
left_out() { printf 'left out: %s\n' "$*"; }
failed() {
    printf 'FAILED: %s\n' "$*"
    failures=$((failures + 1))
}

# The path of a shared library, by its name.
library() {
    local folder
    local IFS=:
    for folder in ${LD_LIBRARY_PATH:-}; do
        if [ -e "$folder/$1" ]; then
            printf '%s\n' "$folder/$1"
            return
        fi
    done
    PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null |
        awk -v name="$1" '$1 == name && !found { print $NF; found = 1 }'
}

# Vulkan takes a loader, a driver, and a file that names the driver to the loader.
vulkan() {
    if [ -z "$(library libvulkan.so.1 || true)" ]; then
        left_out "Vulkan: there is no libvulkan.so.1; install libvulkan1 (Debian, Ubuntu), vulkan-loader (Fedora) or" \
            "vulkan-icd-loader (Arch); without root: apt-get download libvulkan1, dpkg -x it, and set LD_LIBRARY_PATH"
        return
    fi
    if [ -n "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}${VK_ADD_DRIVER_FILES:-}" ]; then
        echo "Vulkan drivers as the environment says: ${VK_DRIVER_FILES:-${VK_ICD_FILENAMES:-$VK_ADD_DRIVER_FILES}}"
        return
    fi
    local driver file needs
    driver=$(library libGLX_nvidia.so.0 || true)
    if [ -z "$driver" ]; then
        left_out "NVIDIA's Vulkan driver: there is no libGLX_nvidia.so.0 (in a container: NVIDIA_DRIVER_CAPABILITIES=all)"
        return
    fi
    needs=$(ldd "$driver" 2>/dev/null | awk '/not found/ { print $1 }' | tr '\n' ' ' || true)
    [ -z "$needs" ] || echo "$driver needs what is not here: $needs"
    # Where the loader looks.
    for file in /etc/vulkan/icd.d /usr/share/vulkan/icd.d /usr/local/share/vulkan/icd.d "${HOME:-/}/.local/share/vulkan/icd.d"; do
        if grep -qs libGLX_nvidia "$file"/*.json; then
            echo "NVIDIA's Vulkan driver is named in $file"
            return
        fi
    done
    # Where it does not.
    file=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
    if [ ! -e "$file" ]; then
        file=$work/nvidia_icd.json
        printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.3.0"}}\n' "$driver" \
            >"$file"
    fi
    export VK_ADD_DRIVER_FILES=$file
    echo "NVIDIA's Vulkan driver is named to the loader by VK_ADD_DRIVER_FILES=$file"
}

# The hash of GPT-2 as an adapter makes it.
gpt2() {
    "$here/seedbed" init "$here/models/gpt2.json" -o "$work/gpt2.safetensors" --quiet --adapter "$1" || return 1
    sha256sum "$work/gpt2.safetensors" | cut -d ' ' -f 1
    rm -f "$work/gpt2.safetensors"
}

bits() {
    local expected hash adapter
    if ! expected=$(gpt2 host); then
        failed "seedbed init on the host"
        return
    fi
    printf '%s  %s\n' "$expected" host | tee "$results/gpt2.sha256"
    if [ -z "$adapters" ]; then
        left_out "bits of a GPU: there is no adapter"
    fi
    while IFS= read -r adapter; do
        [ -n "$adapter" ] || continue
        if ! hash=$(gpt2 "$adapter"); then
            failed "seedbed init on $adapter"
            continue
        fi
        printf '%s  %s\n' "$hash" "$adapter" | tee -a "$results/gpt2.sha256"
        [ "$hash" = "$expected" ] || failed "the bits of $adapter differ from the host's"
    done <<<"$adapters"
}

# One of the Python programs; its last line on stderr says why it could not run.
baseline() {
    local name=$1 file=$2
    if ! command -v "$python" >/dev/null; then
        left_out "$name: there is no $python; set PYTHON"
    elif ! "$python" "$here/baselines/$file" "$elements" 2>"$work/error" | tee -a "$results/baselines.jsonl"; then
        left_out "$name: $(tail -n 1 "$work/error")"
    fi
}

main() {
    say machine
    uname -srm
    if command -v nvidia-smi >/dev/null; then
        nvidia-smi || left_out "nvidia-smi: it failed"
    else
        left_out "nvidia-smi: it is not here"
    fi

    say program
    if ! "$here/seedbed" --version; then
        failed "seedbed does not start: it needs glibc $(cat "$here/glibc") and a processor of $(cat "$here/machine")." \
            "Here: $(ldd --version 2>&1 | head -n 1), $(uname -m)"
        return 1
    fi

    say adapters
    vulkan
    "$here/seedbed" adapters || failed "seedbed adapters"
    adapters=$("$here/seedbed" adapters 2>/dev/null | awk -F '  +' 'NR > 1 && $1 != "host" { print $1 }' || true)

    say "bits of GPT-2 (seedbed init models/gpt2.json), as sha256"
    bits

    say "seedbed bench --elements $elements"
    "$here/seedbed" bench --elements "$elements" --json "$results/bench.json" || failed "seedbed bench"

    say "seedbed-bench growth --elements $growth"
    "$here/seedbed-bench" growth --elements "$growth" --json "$results/growth.json" || failed "seedbed-bench growth"

    say "seedbed-bench shapes"
    "$here/seedbed-bench" shapes --json "$results/shapes.json" || failed "seedbed-bench shapes"

    say "baselines, $elements elements"
    : >"$results/baselines.jsonl"
    baseline PyTorch pytorch.py
    grep -qs '"torch' "$results/baselines.jsonl" && ! grep -qs '"torch [^c]' "$results/baselines.jsonl" &&
        left_out "PyTorch on CUDA: torch finds no GPU"
    baseline cuRAND curand.py

    say "results are in $results"
    if [ "$failures" -gt 0 ]; then
        echo "$failures failures"
        return 1
    fi
}

mkdir -p "$results"
results=$(cd "$results" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Else EGL complains on every start.
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$work}
main 2>&1 | tee "$results/log.txt"
