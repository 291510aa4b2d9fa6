#!/usr/bin/env bash
# Runs simulated worlds, in which processes, disks, networks and servers fail, and checks that every spend is charged
# once. Prints the numbers of all that happened. A failure prints the seed of its world and the history of the lifecycle
# that broke. Installs missing requirements: libcurl's headers.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

usage() {
    cat <<'END'
usage: Scripts/simulate.sh [--seed NUMBER] [--lifecycles COUNT]

  --seed NUMBER       the seed of the first world (a new one for each run); the next worlds have the next seeds
  --lifecycles COUNT  begin this many lifecycles in all (100000); a world has 250
END
}

# require_number OPTION VALUE
require_number() {
    [[ ${2:-} =~ ^(0|[1-9][0-9]{0,17})$ ]] && return
    echo "$1 needs a whole number." >&2
    exit 2
}

seed=$((RANDOM << 30 | RANDOM << 15 | RANDOM))
lifecycles=100000
while [ $# -gt 0 ]; do
    case $1 in
        --seed) require_number "$@" && seed=$2 && shift ;;
        --lifecycles) require_number "$@" && lifecycles=$2 && shift ;;
        --help | -h) usage && exit ;;
        *) usage >&2 && exit 2 ;;
    esac
    shift
done

require_swift
require_pkg_config libcurl libcurl4-openssl-dev

swift build -c release --product Simulate >&2
echo "seed $seed"
# The order of dictionaries follows from their contents, so that a seed leads to the same course in each process.
SWIFT_DETERMINISTIC_HASHING=1 "$(swift build -c release --show-bin-path)/Simulate" "$seed" "$lifecycles" "$(getconf _NPROCESSORS_ONLN)"
