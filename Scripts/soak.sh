#!/usr/bin/env bash
# Runs lifecycles of all kinds over a socket for a long time. Prints the resident memory, the threads and the descriptors of
# the client's process along the way. Fails if they grow after the warm-up, or if the ledger of the authority differs from
# the work. Installs missing requirements: libcurl's headers.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

usage() {
    cat <<'END'
usage: Scripts/soak.sh [--lifecycles COUNT] [--leaks]

  --lifecycles COUNT  run this many lifecycles (1000000), at least 20
  --leaks             build with the address sanitizer, and fail if memory is lost at the end
END
}

lifecycles=1000000
build=(-c release)
while [ $# -gt 0 ]; do
    case $1 in
        --lifecycles)
            if ! [[ ${2:-} =~ ^[1-9][0-9]{1,9}$ ]]; then
                echo "$1 needs a whole number of 20 or more." >&2
                exit 2
            fi
            lifecycles=$2
            shift
            ;;
        --leaks)
            build=(--sanitize=address --scratch-path .build-asan)
            export ASAN_OPTIONS=detect_leaks=1
            ;;
        --help | -h) usage && exit ;;
        *) usage >&2 && exit 2 ;;
    esac
    shift
done

require_swift
require_pkg_config libcurl libcurl4-openssl-dev
[ -r /proc/self/status ] || { echo "Memory is measured by /proc, which is part of Linux." >&2 && exit 1; }

ASAN_OPTIONS='' swift build "${build[@]}" --product Soak >&2
program=$(ASAN_OPTIONS='' swift build "${build[@]}" --show-bin-path)/Soak
work=$(mktemp -d)
# The journal is on the disk of the build: temporary files may be in memory.
journal=$(mktemp -d .build/soak-journal.XXXXXX)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work" "$journal"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

"$program" serve >"$work/url" &
server=$!
for _ in $(seq 200); do
    [ -s "$work/url" ] && break
    sleep 0.05
done
"$program" "$(cat "$work/url")" "$lifecycles" "$PWD/$journal"
left=$(find "$journal" -name '*.json' -o -name '*.log' | wc -l)
[ "$left" -eq 0 ] || { echo "FAILED: $left files are left in the journal." >&2 && exit 1; }
