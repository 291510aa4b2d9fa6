#!/usr/bin/env bash
# Builds the tool and shows budget being reserved, spent and refused over a real socket.
# Installs what is missing: libcurl's headers to build.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

require_swift
require_pkg_config libcurl libcurl4-openssl-dev

echo "Building the tool; the first time takes a minute or two." >&2
swift build --quiet --product cycles >&2
exec "$(swift build --product cycles --show-bin-path)/cycles" demo "$@"
