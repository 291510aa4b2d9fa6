#!/usr/bin/env bash
# Builds the tool, and demonstrates reservations, commits and denials over a real socket.
# Installs missing requirements: libcurl's headers.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

require_swift
require_pkg_config libcurl libcurl4-openssl-dev

echo "Building the tool; the first time takes a minute or two." >&2
swift build --quiet --product cycles >&2
exec "$(swift build --product cycles --show-bin-path)/cycles" demo "$@"
