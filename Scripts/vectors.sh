#!/usr/bin/env bash
# Verifies published Ed25519 vectors (Wycheproof, and those of the reference implementation) and 10 000 random cases, of which
# another implementation tells the result. Prints how many are as expected, and the time of one verification.
# Usage: Scripts/vectors.sh [SEED]. Python's packages are in .build-vectors.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh
. Scripts/lib/vectors.sh

require_swift
require_pkg_config libcurl libcurl4-openssl-dev
prepare_vectors
build=(swift build -c release --package-path Benchmarks --scratch-path Benchmarks/.build --product SignatureVectors)
"${build[@]}" --quiet >&2
seed=${1:-$RANDOM}
echo "seed of the random cases: $seed"
"$vectors/bin/python" Scripts/lib/signature-vectors.py "$seed" |
    "$("${build[@]}" --show-bin-path)/SignatureVectors" Tests/Evidence/commit-did.json Tests/Evidence/keys.json
