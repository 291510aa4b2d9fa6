#!/usr/bin/env bash
# Makes the evidence envelopes and the key set in Tests/Evidence anew, with the public seed of the specification's fixtures
# and another implementation of Ed25519. Python's packages are in .build-vectors.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh
. Scripts/lib/vectors.sh

prepare_vectors
exec "$vectors/bin/python" Scripts/lib/evidence-fixtures.py Tests/Evidence
