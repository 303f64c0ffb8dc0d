#!/usr/bin/env bash
# The software adapters that the tests run on. This script finds them, and installs or fetches those that are
# missing.
#
#   adapters.sh [--report] [--require LIST] [--cache FOLDER]
#
#   --report   only says what is there: nothing is installed or fetched
#   --require  the adapters that have to be there, separated by commas. Without this option the variable
#              SEEDBED_REQUIRE_ADAPTERS counts. Without both, all three are required where there is apt-get,
#              and elsewhere those that are installed
#   --cache    the folder for SwiftShader [target/xtask]
#
# Standard output has the environment in which programs see the adapters, for example
#   set -a; eval "$(scripts/adapters.sh)"; set +a
# Standard error has the list of adapters for a person. The script looks for driver files and asks no driver:
# the tests find out whether the drivers work.
set -euo pipefail
exec </dev/null

system=${ADAPTERS_SYSTEM_ROOT:-} # the tests of this script set it
machine=$(uname -m)
cache=${CARGO_TARGET_DIR:-$(cd "$(dirname "$0")/.." && pwd)/target}/xtask
all=(lavapipe gl swiftshader)
mesa=(mesa-vulkan-drivers libvulkan1 libegl1 libegl-mesa0 libgl1-mesa-dri)
advice="install Mesa's software drivers (Fedora: dnf install vulkan-loader mesa-vulkan-drivers mesa-libEGL \
mesa-dri-drivers; Arch: pacman -S vulkan-icd-loader vulkan-swrast mesa), and Chromium or Google Chrome for \
SwiftShader, or set SEEDBED_SWIFTSHADER_ICD to a vk_swiftshader_icd.json"

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*" && exit 1; }

report=
while [ $# -gt 0 ]; do
    case $1 in
    --report) report=yes ;;
    --require) require=${2?"--require needs a list"} && shift ;;
    --cache) cache=${2?"--cache needs a folder"} && shift ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    esac
    shift
done
[ "$(uname -s)" = Linux ] || die "this script is for Linux; elsewhere the tests use the system's own adapters"
mkdir -p "$cache" && cache=$(cd "$cache" && pwd)
# Two runs at once would delete each other's half-fetched files.
exec 9>"$cache/lock" && flock 9

# --- Finding. Each function sets `found` to a path, or `why` to what is missing. ---

# Prints the first library with this name, in which a * may stand for a version.
library() {
    local folder IFS=:
    for folder in ${LD_LIBRARY_PATH:-} "$system"/{usr/local/lib,usr/lib64,usr/lib,lib64,lib}; do
        { compgen -G "$folder/$machine-linux-gnu/$1" || compgen -G "$folder/$1"; } | head -n 1 | grep . && return
    done
    return 1
}

find_lavapipe() {
    why="the Vulkan loader (libvulkan.so.1) is not installed"
    library libvulkan.so.1 >/dev/null || return 0
    local place name IFS=:
    # shellcheck disable=SC2086 # These are lists.
    # The loader's documented search order. Manifests of other architectures are in the same folders.
    for place in ${VK_DRIVER_FILES:-} ${VK_ICD_FILENAMES:-} ${VK_ADD_DRIVER_FILES:-} \
        "$system"/{usr/local/etc,usr/local/share,etc,usr/share}/vulkan/icd.d \
        ${XDG_DATA_HOME:+"$XDG_DATA_HOME/vulkan/icd.d"} $(printf '%s/vulkan/icd.d:' ${XDG_DATA_DIRS:-}); do
        for name in "lvp_icd.$machine.json" lvp_icd.json; do
            if [ "${place##*/}" = "$name" ] && [ -f "$place" ]; then found=$place && return; fi
            if [ -f "$place/$name" ]; then found=$place/$name && return; fi
        done
    done
    why="no lvp_icd.$machine.json or lvp_icd.json in any vulkan/icd.d folder"
}

find_gl() {
    local egl
    why="EGL (libEGL.so.1) is not installed"
    library libEGL.so.1 >/dev/null || return 0
    why="Mesa's EGL (libEGL_mesa.so.0) is not installed"
    egl=$(library libEGL_mesa.so.0) || return 0
    why="Mesa's software rasteriser is not installed"
    # Mesa has one library per driver up to 24.1, and one for all drivers since.
    if library dri/swrast_dri.so >/dev/null || library 'libgallium-*.so' >/dev/null; then found=$egl; fi
}

# No distribution packages SwiftShader by itself, but Chromium carries it, and it runs alone.
find_swiftshader() {
    local manifest=${SEEDBED_SWIFTSHADER_ICD:-} home=$cache/swiftshader folder version
    if [ -n "$manifest" ]; then
        [ -f "$manifest" ] || die "SEEDBED_SWIFTSHADER_ICD is $manifest, which is no file;" \
            "set it to a vk_swiftshader_icd.json, or unset it"
        found=$(realpath -s -- "$manifest") && return # the tests run in other folders
    fi
    if [ -d "$home" ]; then
        version=$(grep -o '"api_version": *"[^"]*"' "$home/vk_swiftshader_icd.json" 2>/dev/null) &&
            [ -f "$home/libvk_swiftshader.so" ] ||
            die "$home is damaged: delete the folder and run \`cargo xtask setup\` again"
        # A manifest with the driver's absolute path: the loader may start in any folder, and a target folder
        # can move.
        found=$home/absolute.json
        manifest=$home/libvk_swiftshader.so && manifest=${manifest//\\/\\\\} && manifest=${manifest//\"/\\\"}
        manifest='{"file_format_version": "1.0.0", "ICD": {"library_path": "'$manifest'", '$version'}}'
        [ "$manifest" = "$(cat "$found" 2>/dev/null)" ] ||
            { printf '%s\n' "$manifest" >"$found.partial" && mv -f "$found.partial" "$found"; }
        return
    fi
    for folder in "$system"/{opt/google/chrome,usr/lib{,64}/chromium{,-browser}}; do
        if [ -f "$folder/libvk_swiftshader.so" ] && [ -f "$folder/vk_swiftshader_icd.json" ]; then
            found=$folder/vk_swiftshader_icd.json && return
        fi
    done
    why="neither fetched yet nor part of a browser here"
}

declare -A at
look() {
    local name found why
    list=
    for name in "${all[@]}"; do
        found='' why=''
        "find_$name"
        at[$name]=$found
        list+=$(printf '%-12s%s' "$name" "${found:-missing: $why}")$'\n'
    done
}

# --- Providing. ---

export DEBIAN_FRONTEND=noninteractive
lists=$system/var/lib/apt/lists
root=(sudo -n env DEBIAN_FRONTEND=noninteractive)
options=(-qq -o DPkg::Lock::Timeout=300) # an automatic update of the machine may hold dpkg's lock
if [ "$(id -u)" = 0 ]; then
    root=()
    options+=(-o APT::Sandbox::User=root) # the user `_apt` may not be able to write into our folder
fi

quietly() {
    local output
    output=$("$@" 2>&1) || { say "$output" && return 1; }
}
has_lists() { compgen -G "$lists/*_Packages*" >/dev/null; }
# Not quietly: apt-get only warns about an archive that it cannot reach.
update() { say "updating the package lists" && "${root[@]}" apt-get "${options[@]}" update >&2; }
# Tries a command with the package lists as they are, and once more with new lists if it fails: an update
# takes long, a container image comes without lists, and old lists name packages that are gone.
with_fresh_lists() { { has_lists && "$@"; } || { update && "$@"; }; }

install_mesa() {
    say "installing ${mesa[*]}"
    local install=("${root[@]}" apt-get "${options[@]}" install -y --no-install-recommends)
    with_fresh_lists quietly "${install[@]}" "${mesa[@]}" ||
        die "cannot install the packages, for which this script has to be root or have a \`sudo\` that asks for" \
            "no password; as root, run \`apt-get install ${mesa[*]}\`"
}

# Downloads a package and unpacks it into a folder.
unpack() {
    local package=$1 folder=$2
    has_lists || update || return
    # An update would not make an unknown package known.
    apt-cache "${options[@]}" show "$package" >/dev/null 2>&1 ||
        { say "this machine's package archive has no $package" && return 1; }
    mkdir -p "$folder" && cd "$folder" &&
        with_fresh_lists quietly apt-get "${options[@]}" download "$package" &&
        quietly dpkg --extract ./*.deb .
}

# Unpacks Chromium out of Debian 12, for systems like Ubuntu whose archive has no Chromium package. Its driver
# asks for an older C library than any maintained release of Debian or Ubuntu has. apt-get keeps its state in
# our folder.
unpack_debians() {
    local key=usr/share/keyrings/debian-archive-keyring.gpg state=$scratch/apt
    local archive="http://deb.debian.org/debian-security bookworm-security main"
    if [ -f "$system/$key" ]; then
        key=$system/$key
    else # The machine's own archive vouches for Debian's keys.
        (unpack debian-archive-keyring "$scratch/keyring") || return
        key=$scratch/keyring/$key
    fi
    mkdir -p "$state"/{state/lists/partial,cache/archives/partial} && : >"$state/status"
    echo "deb [signed-by=$key] $archive" >"$state/sources.list"
    printf 'Dir::%s "%s";\n' State "$state/state" State::status "$state/status" Cache "$state/cache" \
        Etc::sourcelist "$state/sources.list" Etc::sourceparts - >"$state/apt.conf"
    (export APT_CONFIG=$state/apt.conf && lists=$state/state/lists root=() && unpack chromium-common "$1")
}

# The driver's two files appear in the cache together or not at all.
fetch_swiftshader() {
    local scratch=$cache/swiftshader.partial file
    say "fetching SwiftShader (chromium-common, about 32 MB)"
    rm -rf "$scratch" && mkdir -p "$scratch/driver"
    if ! (unpack chromium-common "$scratch/package"); then
        say "taking Debian's" && rm -rf "$scratch/package"
        unpack_debians "$scratch/package" || die "cannot fetch SwiftShader: $advice"
    fi
    for file in libvk_swiftshader.so vk_swiftshader_icd.json; do
        mv "$scratch/package/usr/lib/chromium/$file" "$scratch/driver" ||
            die "chromium-common has no $file; set SEEDBED_SWIFTSHADER_ICD to another vk_swiftshader_icd.json"
    done
    mv "$scratch/driver" "$cache/swiftshader" && rm -rf "$scratch"
}

# --- The run. ---

# The required adapters that are missing.
lacking() {
    local name
    for name in "${all[@]}"; do
        [[ ,$require, != *",$name,"* ]] || [ -n "${at[$name]}" ] || printf '%s ' "$name"
    done
}

look
require=${require-${SEEDBED_REQUIRE_ADAPTERS-default}}
if [ "$require" = default ] && command -v apt-get >/dev/null; then
    require=$(IFS=, && echo "${all[*]}")
elif [ "$require" = default ]; then
    require=
    for name in "${all[@]}"; do [ -z "${at[$name]}" ] || require+=$name,; done
    say "there is no apt-get here, so only what is installed is required: \`${require%,}\`;" \
        "for the rest, $advice"
fi
require=$(tr -d ' ' <<<"$require" | sed 's/,,*/,/g; s/^,//; s/,$//')

missing=$(lacking)
if [ -n "$missing" ] && [ -z "$report" ]; then
    command -v apt-get >/dev/null || die "cannot provide ${missing% } without apt-get: $advice"$'\n'"$list"
    case $missing in *lavapipe* | *gl*) install_mesa ;; esac
    case $missing in *swiftshader*) fetch_swiftshader ;; esac
    look
fi
printf '%s' "$list" >&2
missing=$(lacking)
[ -z "$missing" ] || die "missing: ${missing% }; $advice"

# Prints a variable that a shell can evaluate.
variable() { printf "%s='%s'\n" "$1" "${2//\'/\'\\\'\'}"; }

variable SEEDBED_REQUIRE_ADAPTERS "$require"
manifest=${at[swiftshader]}
if [ -n "$manifest" ]; then
    [[ $manifest != *:* ]] ||
        die "$manifest cannot stand in a list of drivers; move the checkout or set CARGO_TARGET_DIR"
    # SwiftShader joins the drivers that the loader finds by itself, or those that the user has narrowed it
    # down to.
    name=VK_ADD_DRIVER_FILES
    [ -z "${VK_ICD_FILENAMES:-}" ] || name=VK_ICD_FILENAMES
    [ -z "${VK_DRIVER_FILES:-}" ] || name=VK_DRIVER_FILES
    drivers=${!name:-}
    case :$drivers: in
    *":$manifest:"*) ;;
    *) drivers=${drivers:+$drivers:}$manifest ;;
    esac
    variable "$name" "$drivers"
fi
if [ -z "${XDG_RUNTIME_DIR+set}" ]; then
    # EGL looks for a Wayland socket there and complains on every start where it is unset.
    mkdir -p "$cache/runtime" && chmod 700 "$cache/runtime"
    variable XDG_RUNTIME_DIR "$cache/runtime"
fi
