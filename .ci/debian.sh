# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# For programs of the tests that no Python registry has: from the packages of Debian, unpacked below .cache.
# That needs apt and dpkg, but neither root nor any change to the machine. Sourced by a script that sets:
#   name     what it is called in messages
#   folder   where it goes; the packages are unpacked into its tree

# shellcheck shell=bash disable=SC2154

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
        dpkg -x "$package" "$folder/tree"
    done
    rm -rf "$folder/apt"
}

# The folders of the libraries that were unpacked, without this one.
libraries() {
    find "$folder/tree" -name '*.so*' -printf '%h\n' | grep -v "$1" | sort -u | paste -sd:
}
