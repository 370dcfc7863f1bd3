#!/bin/sh
# Fetches the sources of Debian's librdkafka, in the version that is installed, into build/librdkafka: a ThreadSanitizer has to see
# all of a process (test/sanitize/sanitize.mk). Once per version.
set -eu
cd "$(dirname "$0")/.."

version=$(dpkg-query -W -f '${source:Version}' librdkafka1)
[ "$(cat build/librdkafka/version 2>/dev/null)" = "$version" ] && exit 0
echo "Fetching the sources of librdkafka $version"
rm -rf build/librdkafka
mkdir -p build/librdkafka/lists/partial
# Lists of our own: the machine's sources need not name deb-src.
list=$PWD/build/librdkafka/sources.list
echo "deb-src http://deb.debian.org/debian $(. /etc/os-release && echo "$VERSION_CODENAME") main" > "$list"
options="-o Dir::Etc::sourcelist=$list -o Dir::Etc::sourceparts=- -o Dir::State::Lists=$PWD/build/librdkafka/lists -o APT::Sandbox::User=root"
# shellcheck disable=SC2086
(cd build/librdkafka && apt-get $options -q update && apt-get $options -q --download-only source "librdkafka=$version") > build/librdkafka/log 2>&1 ||
  { cat build/librdkafka/log; exit 1; } >&2
mkdir build/librdkafka/source
tar -xf build/librdkafka/librdkafka_*.orig.tar.* -C build/librdkafka/source --strip-components=1
# Last: an interrupted run is repeated.
echo "$version" > build/librdkafka/version
