#!/usr/bin/env bash
# usage: build-static.sh [--package PATH --product NAME]
# Builds the tool as one static file, HTTPS included, and tests it: the demonstration, and HTTPS in a directory tree that
# contains only the tool (Scripts/lib/check-static.sh). The result is in .build-static/cycles-VERSION-linux-ARCHITECTURE.
# With --package and --product, builds an executable product of another package, which depends on Cycles, as one static
# file. The result is in .build-static/NAME-linux-ARCHITECTURE.
# All files are in .build-static.
# Installs missing requirements: a C compiler, make, and the static libraries of OpenSSL and c-ares; valgrind, to list the
# functions that a run calls; nginx, openssl and dnsmasq for the tests.
set -euo pipefail
package=
product=
while [ $# -gt 0 ]; do
    case $1 in
    --package) package=${2:?--package needs a path} && shift 2 ;;
    --product) product=${2:?--product needs a name} && shift 2 ;;
    *) echo "usage: $0 [--package PATH --product NAME]" >&2 && exit 2 ;;
    esac
done
if [ -n "$package" ] && [ -z "$product" ] || [ -z "$package" ] && [ -n "$product" ]; then
    echo "Give --package and --product together." >&2
    exit 2
fi
if [ -n "$package" ]; then
    [ -e "$package/Package.swift" ] || { echo "$package contains no Package.swift." >&2 && exit 2; }
    package=$(readlink -f "$package")
fi
cd "$(dirname "$0")/.."
. Scripts/lib/requirements.sh
# The runs below must not use a server named in the caller's environment.
unset ${!CYCLES_@}

if [ "$(uname -s)" != Linux ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "This builds on Debian and Ubuntu, whose source of libcurl it uses; the result runs on any Linux." >&2
    exit 1
fi

require_swift
require_command cc gcc
require_command make make
require_command pkg-config pkg-config
require_command dpkg-source dpkg-dev
require_command readelf binutils
if [ -z "$package" ]; then
    require_command valgrind valgrind
    require_command openssl openssl
    require_file /usr/bin/time time "the command time"
fi
require_file /usr/include/openssl/ssl.h libssl-dev "the static library of OpenSSL"
require_file /usr/include/ares.h libc-ares-dev "the static library of c-ares"

root=$PWD/.build-static
curl_prefix=$root/curl
architecture=$(uname -m)
mkdir -p "$root"

# Fetches the source package of this system's release with separate package lists; the system's lists do not change.
fetch_curl() {
    local apt=$root/apt version keyring=
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    for file in /usr/share/keyrings/{debian,ubuntu}-archive-keyring.gpg; do
        [ -e "$file" ] && keyring="[signed-by=$file]" && break
    done
    for origin in Debian Ubuntu; do
        apt-get indextargets --format "deb-src $keyring \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
            "Created-By: Packages" "Origin: $origin"
    done | sort -u > "$apt/sources.list"
    if [ ! -s "$apt/sources.list" ]; then
        echo "apt-get names no archive of Debian or Ubuntu to take libcurl's source from; run apt-get update first." >&2
        exit 1
    fi
    local options=(
        -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$apt/lists"
        -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=
    )
    apt-get -qq "${options[@]}" update
    (cd "$root" && apt-get -qq "${options[@]}" source curl > "$apt/log" 2>&1) || { cat "$apt/log" >&2; exit 1; }
}

# HTTP and HTTPS with OpenSSL and c-ares only: other protocols would need more libraries.
build_curl() {
    echo "== libcurl" >&2
    fetch_curl
    local source
    source=$(find "$root" -maxdepth 1 -type d -name 'curl-[0-9]*' | sort -V | tail -1)
    # The steps are joined by &&, because set -e has no effect on the left of ||.
    (
        cd "$source" &&
        ./configure --quiet --prefix="$curl_prefix" --disable-shared --enable-static --with-openssl --enable-ares \
            --with-ca-bundle=/etc/ssl/certs/ca-certificates.crt --without-ca-path \
            --disable-{ftp,file,ldap,ldaps,rtsp,dict,telnet,tftp,pop3,imap,smb,smtp,gopher,mqtt} \
            --disable-{manual,docs,ntlm,ntlm-wb,tls-srp,cookies,netrc,doh,alt-svc,hsts,mime,dateparse,aws} \
            --disable-{kerberos-auth,negotiate-auth,digest-auth,bearer-auth,libcurl-option,progress-meter,sspi} \
            --without-{zlib,brotli,zstd,libpsl,libidn2,libssh,libssh2,librtmp,nghttp2,gssapi,libgsasl} \
            CFLAGS="-Os -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables" > "$root/configure.log" 2>&1 &&
        make -j"$(nproc)" -C lib install > "$root/make.log" 2>&1 &&
        make -C include install >> "$root/make.log" 2>&1 &&
        make install-pkgconfigDATA >> "$root/make.log" 2>&1
    ) || { tail -n 30 "$root"/{configure,make}.log >&2; exit 1; }
    cp "$source/COPYING" "$curl_prefix/COPYING"
}

[ -e "$curl_prefix/COPYING" ] || build_curl

cc -Os -c -o "$root/name-server-errors.o" Scripts/lib/name-server-errors.c
cc -Os -c -o "$root/scalar-names.o" Scripts/lib/scalar-names.c
# static_build OPTION ...: builds a static executable. pkg-config lists the dependencies of libcurl only with --static,
# which the package manager does not pass.
static_build() {
    PKG_CONFIG_PATH=$curl_prefix/lib/pkgconfig swift build --quiet -c release -Xswiftc -static-executable \
        -Xlinker --wrap=send -Xlinker "$root/name-server-errors.o" \
        -Xlinker -lcares -Xlinker -lssl -Xlinker -lcrypto -Xlinker -ldl "$@"
}

# licenses: prints the parts of the program and their licenses.
licenses() {
    part() {
        printf '\n======== %s\n\n' "$1"
        cat "$2"
    }
    echo "The program contains the following parts, each under its own license."
    part "libcurl" "$curl_prefix/COPYING"
    part "OpenSSL" /usr/share/doc/libssl-dev/copyright
    part "c-ares" /usr/share/doc/libc-ares-dev/copyright
    part "the GNU C library" /usr/share/doc/libc6-dev/copyright
    part "the GNU C++ library and libgcc" "$(first_file /usr/share/doc/libstdc++6/copyright /usr/share/doc/gcc-*-base/copyright)"
    part "the Swift runtime, with libdispatch" "$(first_file "$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")"/share/swift/LICENSE.txt /usr/share/swift/LICENSE.txt)"
}

# check_static PROGRAM: fails unless the program needs no shared library, and prints its size.
check_static() {
    echo "== file" >&2
    if ! readelf -d "$1" | grep -q 'There is no dynamic section'; then
        echo "The program is not static:" >&2
        readelf -d "$1" >&2
        exit 1
    fi
    readelf -d "$1" | sed 's/^$//;/^$/d'
    local size
    size=$(stat -c %s "$1")
    printf 'size %d bytes, %d.%02d MB\n' "$size" $((size / 1000000)) $((size % 1000000 / 10000))
}

if [ -n "$package" ]; then
    echo "== $product" >&2
    result=$root/$product-linux-$architecture
    rm -rf "$result"
    mkdir -p "$result"
    # Only unused sections are removed: other options could change the meaning of another package's code.
    others=(-Xswiftc -use-ld=lld -Xlinker --gc-sections --package-path "$package" --scratch-path "$root/packages/$product")
    static_build "${others[@]}" --product "$product"
    built=$(static_build "${others[@]}" --show-bin-path)/$product
    strip -o "$result/$product" "$built"
    licenses > "$result/LICENSES-OF-PARTS"
    check_static "$result/$product"
    echo "The program is $result/$product" >&2
    exit
fi

echo "== the tool" >&2
# Options for a small file: optimisation for size; no library of regular expressions, which is linked by default; a
# section for each function and type, so that unused ones are left out; identical machine code merged; no tables for
# unwinding stacks, nor what only debuggers read; no names of Unicode scalars.
smaller=(
    -Xswiftc -Osize -Xswiftc -Xfrontend -Xswiftc -disable-implicit-string-processing-module-import
    -Xswiftc -Xfrontend -Xswiftc -function-sections -Xswiftc -Xfrontend -Xswiftc -conditional-runtime-records
    -Xswiftc -Xfrontend -Xswiftc -internalize-at-link
    -Xswiftc -use-ld=lld -Xlinker --gc-sections -Xlinker --icf=safe -Xlinker --no-eh-frame-hdr
    -Xlinker -T -Xlinker "$PWD/Scripts/lib/smaller.ld" -Xlinker -O2
    -Xlinker --wrap=_swift_stdlib_getScalarName -Xlinker "$root/scalar-names.o"
)
build_tool() {
    static_build --product cycles --scratch-path "$root/swift" "${smaller[@]}" "$@"
}

# called COMMAND ...: runs a command, and prints the functions that it called.
called() {
    if ! valgrind --tool=callgrind --demangle=no --callgrind-out-file="$training/calls" "$@" > "$training/log" 2>&1; then
        cat "$training/log" >&2
        return 1
    fi
    sed -nE "s/^c?fn=\([0-9]+\) //p" "$training/calls" | sed "s/'[0-9]*$//" | sort -u
}

# called_over_https PROGRAM: prints the functions that one operation over HTTPS calls. A server of files answers it.
called_over_https() {
    local program=$1 server port
    mkdir -p "$training/v1"
    echo '{"balances": [], "has_more": false}' > "$training/v1/balances?tenant=acme"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -keyout "$training/key.pem" -out "$training/certificate.pem" 2> /dev/null
    (cd "$training" && exec openssl s_server -accept 127.0.0.1:0 -cert certificate.pem -key key.pem -WWW) \
        > "$training/server.log" 2>&1 &
    server=$!
    until port=$(sed -nE 's/^ACCEPT .*:([0-9]+)$/\1/p' "$training/server.log" 2> /dev/null) && [ -n "$port" ]; do
        kill -0 "$server" 2> /dev/null || { cat "$training/server.log" >&2; return 1; }
        sleep 0.05
    done
    CYCLES_API_KEY=key CYCLES_TENANT=acme called "$program" balances --url "https://localhost:$port" \
        --ca "$training/certificate.pem" || { kill "$server"; return 1; }
    kill "$server"
}

build_tool
# Places the functions that runs call next to each other, so that a run reads fewer pages of the program: first those of
# the demonstration, then the additional ones of HTTPS.
training=$root/training
rm -rf "$training"
mkdir -p "$training"
{
    called "$root/swift/release/cycles" demo
    called_over_https "$root/swift/release/cycles"
} | awk '!seen[$0]++' > "$training/order"
build_tool -Xlinker --symbol-ordering-file="$training/order" -Xlinker --no-warn-symbol-ordering
built=$root/swift/release/cycles

version=$("$built" --version | cut -d ' ' -f 2)
result=$root/cycles-$version-linux-$architecture
rm -rf "$result"
mkdir -p "$result"
strip -o "$result/cycles" "$built"

cp LICENSE "$result/LICENSE"
licenses > "$result/LICENSES-OF-PARTS"
check_static "$result/cycles"

echo "== the demonstration" >&2
/usr/bin/time -f 'peak resident %M KiB' "$result/cycles" demo
Scripts/lib/check-static.sh "$result/cycles"
echo "The program is $result/cycles" >&2
