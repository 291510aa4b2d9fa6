#!/usr/bin/env bash
# Builds the documentation of Cycles and CyclesTesting as a static site, without warnings, and checks the site: each public
# symbol is under a topic, and no link is broken. Prints the figures. To read the site:
#   python3 -m http.server --bind 127.0.0.1 --directory .build-documentation/site
# All files are in .build-documentation. Installs missing requirements: libcurl's headers, Python.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

require_swift
require_pkg_config libcurl libcurl4-openssl-dev
require_command python3 python3

root=$PWD/.build-documentation
mkdir -p "$root"
rm -rf "$root/site"
swift package --package-path Documentation --scratch-path "$root/build" --allow-writing-to-directory "$root" \
    generate-documentation --target Cycles --target CyclesTesting --enable-experimental-combined-documentation \
    --experimental-skip-synthesized-symbols --warnings-as-errors --disable-indexing --transform-for-static-hosting --output-path "$root/site"
python3 Scripts/lib/documentation.py "$root/site"
