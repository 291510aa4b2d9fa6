#!/usr/bin/env bash
# Compares the public names of the libraries with those of the last tag, and fails if a program that uses them no longer
# compiles. Without a tag there is nothing to compare with, and the script succeeds.
# usage: check-api.sh [TAG]
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh

require_swift
require_pkg_config libcurl libcurl4-openssl-dev
require_command git git

tag=${1:-$(git describe --tags --abbrev=0 --match '[0-9]*' --match 'v[0-9]*' 2>/dev/null || true)}
if [ -z "$tag" ]; then
    echo "This repository has no tag of a version yet: there is nothing to compare the public names with."
    exit
fi
echo "== public names since $tag"
swift package diagnose-api-breaking-changes "$tag"
