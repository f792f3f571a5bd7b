#!/bin/sh
# README's first command: on a fresh Debian or Ubuntu machine installs what is
# missing, builds, and sends the lines of a real file through a broker inside the
# program examples/quickstart.c and back to a group of two: the file named, or
# what the package manager knows.
#
# usage: quickstart.sh [FILE]
set -eu
file=${1:-}
[ -z "$file" ] || file=$(readlink -f "$file")
cd "$(dirname "$0")/.."
. tests/setup.sh
[ -z "$file" ] || [ -r "$file" ] || die "cannot read $file"

install_packages $BUILD_PACKAGES
build build/quickstart --disable-tests

mkdir -p build/quickstart/run
cd build/quickstart/run
if [ -z "$file" ]; then
	file=$PWD/packages
	{ cat /var/lib/dpkg/status; apt-cache dumpavail 2>/dev/null || :; } >"$file"
fi
topic=quickstart-$(date +%H%M%S)-$$
say "the lines of $file ($(wc -c <"$file") bytes), through a broker in the program, to topic $topic"
../examples/quickstart "$file" "$topic" mq-data
say "the data is in $PWD/mq-data; to look at it:"
cat >&2 <<END
    cd $PWD
    ../mq server-start &
    ../mq console-consumer --topic $topic --from-beginning --timeout-ms 5000
    ../mq consumer-groups --describe --group $topic
    kcat -b 127.0.0.1:9092 -C -t $topic -o beginning -e       (any Kafka client will do)
    ../mq server-stop
END
