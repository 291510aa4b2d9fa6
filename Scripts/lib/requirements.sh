# Sourced by the other scripts: installs their requirements on Debian and Ubuntu, or names the missing ones.

cycles_lists_updated=

# install_package PACKAGE PURPOSE: installs one Debian package.
install_package() {
    local package=$1 what=$2 sudo=
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "$what is missing, and apt-get is not available to install it." >&2
        echo "Install it with your system's package manager (on Debian the package is $package), then run this again." >&2
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            echo "$what is missing. Run as root: apt-get install $package" >&2
            exit 1
        fi
        sudo=sudo
    fi
    echo "Installing $package ($what)" >&2
    if [ -z "$cycles_lists_updated" ]; then
        $sudo apt-get update -qq >&2
        cycles_lists_updated=yes
    fi
    local said
    if ! said=$($sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" 2>&1); then
        printf '%s\n%s\n' "$said" "$package could not be installed: see apt-get's message above." >&2
        exit 1
    fi
}

# require_command COMMAND PACKAGE
require_command() {
    PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1 || install_package "$2" "the command $1"
}

# require_pkg_config MODULE PACKAGE: a library with its headers, and pkg-config, by which the build finds it.
require_pkg_config() {
    command -v pkg-config >/dev/null 2>&1 || install_package pkg-config "pkg-config"
    pkg-config --exists "$1" || install_package "$2" "the headers of $1"
}

# require_file FILE PACKAGE PURPOSE
require_file() {
    [ -e "$1" ] || install_package "$2" "$3"
}

# first_file FILE ...: prints the first of these files that exists.
first_file() {
    local file
    for file in "$@"; do
        [ -e "$file" ] && echo "$file" && return
    done
    echo "None of these files exists: $*" >&2
    return 1
}

require_swift() {
    if ! command -v swift >/dev/null 2>&1; then
        echo "Swift 6.2 or later is missing: install it from https://www.swift.org/install and put it on PATH." >&2
        exit 1
    fi
}
