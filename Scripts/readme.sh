#!/usr/bin/env bash
# Follows README.md as a reader would: runs its commands, builds its first program in a folder beside a copy of the
# repository, and compares what is printed with what README.md quotes. Leaves out Scripts/test.sh, which takes minutes.
# Installs missing requirements: libcurl's headers, python3.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

require_swift
require_pkg_config libcurl libcurl4-openssl-dev
require_command python3 python3

exec python3 Scripts/lib/readme.py
