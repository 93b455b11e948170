# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# For programs of the tests that no Python registry has. In this order: the one that a variable names, one on the PATH,
# one that was unpacked below .cache before, and one from the packages of Debian, unpacked there. That needs apt and
# dpkg, but neither root nor any change to the machine.
#
# Sourced by a script that sets these, and then calls provide with its arguments:
#   name, variable   of the program, and of the environment's
#   commands         what it may be called on the PATH
#   packages         of Debian
#   works            whether the program of this path runs
#   write_program    writes the program of the unpacked tree, with its libraries

# shellcheck shell=bash disable=SC2154  # they are set by who sources this

folder="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.cache/$name"
program="$folder/$name"
tree="$folder/tree"

give_up() {
    echo "$name: $*" >&2
    exit 1
}

found() {
    echo "$1"
    exit 0
}

# apt with lists and archives of our own, so that it needs no rights; its locks belong to root.
apt_get() {
    apt-get -qq --yes -o Dir::State="$folder/apt" -o Dir::State::status=/var/lib/dpkg/status \
        -o Dir::Cache="$folder/apt" -o Debug::NoLocking=1 -o APT::Sandbox::User= -o Acquire::Languages=none \
        -o Acquire::Retries=3 "$@" >&2
}

# Unpack these packages, with all that they need and this machine has not.
unpack() {
    if ! command -v apt-get dpkg >/dev/null; then
        give_up "there is none here, and without apt none can be fetched"
    fi
    echo "Fetching $name from the packages of Debian" >&2
    rm -rf "$folder"
    mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial"
    # A third-party list that does not answer is no reason to stop; without the package the next step does.
    apt_get update || true
    apt_get install --no-install-recommends --download-only "$@" || give_up "apt cannot fetch it"
    local package
    for package in "$folder"/apt/archives/*.deb; do
        dpkg -x "$package" "$tree"
    done
    rm -rf "$folder/apt"
}

# The folders of the libraries that were unpacked, without this one.
libraries() {
    find "$tree" -name '*.so*' -printf '%h\n' | grep -v "$1" | sort -u | paste -sd:
}

# Print the path; with --find nothing is fetched.
provide() {
    local given="${!variable:-}" each path
    if [[ -n "$given" ]]; then
        works "$given" || give_up "$variable=$given does not work"
        found "$given"
    fi
    for each in "${commands[@]}"; do
        if path="$(PATH="$PATH:/usr/sbin" command -v "$each")" && works "$path"; then
            found "$path"
        fi
    done
    [[ -x "$program" ]] && works "$program" && found "$program"
    [[ "${1:-}" != --find ]] || give_up "none is on the PATH, and $variable names none; .ci/$name fetches one"
    unpack "${packages[@]}"
    write_program
    works "$program" || give_up "the one from the packages of Debian does not run here"
    found "$program"
}
