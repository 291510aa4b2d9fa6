#!/usr/bin/env bash
# Shows that the simulation finds faults: plants those of Tests/Mutations in a copy of the sources, one at a time, and
# runs the simulated world that has to find each. Installs missing requirements: libcurl's headers.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

usage() {
    cat <<'END'
usage: Scripts/mutations.sh [--any-seed | --renew] [NAME...]

  --any-seed  accept a fault that is found at a later seed than that of the table
  --renew     write the seeds at which the faults are found to the table
  NAME        the faults to plant (all)

The table is in Tests/Mutations/*.toml. A [[mutation]] has a name, a description of the fault, and the seed of the
world that finds it. A [[change]] replaces a text that occurs once in a file of Sources/Cycles. The new text asks
isPlanted("name") for each fault that it plants; without a planted fault, it does what the old text does. All changes
are made in one copy, .build-mutations, so that one build serves all faults. The package itself has no such switch.

Each fault has to violate a rule of the simulation, and the same world without the fault has to violate none.
END
}

mode=
names=()
while [ $# -gt 0 ]; do
    case $1 in
        --any-seed | --renew) mode=$1 ;;
        --help | -h) usage && exit ;;
        -*) usage >&2 && exit 2 ;;
        *) names+=("$1") ;;
    esac
    shift
done

require_swift
require_pkg_config libcurl libcurl4-openssl-dev
require_command python3 python3

python3 Scripts/lib/mutations.py plant .build-mutations
swift build --package-path .build-mutations -c release --product Simulate >&2
program=$(swift build --package-path .build-mutations -c release --show-bin-path)/Simulate
python3 Scripts/lib/mutations.py run "$program" $mode ${names[@]+"${names[@]}"}
