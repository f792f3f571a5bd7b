#!/bin/sh
# README's first command: on a fresh Debian or Ubuntu machine installs what is
# missing, builds, starts a broker as it is by default, and sends the lines of a
# real file through it: the one named, or what the package manager knows.
#
# usage: quickstart.sh [FILE]
set -eu
file=${1:-}
[ -z "$file" ] || file=$(readlink -f "$file")
cd "$(dirname "$0")/.."
. tests/setup.sh
[ -z "$file" ] || [ -r "$file" ] || die "cannot read $file"

install_packages $BUILD_PACKAGES kcat
build build/quickstart --disable-tests

work=$(mktemp -d)
broker=
finish() {
	[ -z "$broker" ] || kill "$broker" 2>/dev/null || :
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

if [ -z "$file" ]; then
	file=$work/packages
	{ cat /var/lib/dpkg/status; apt-cache dumpavail 2>/dev/null || :; } >"$file"
fi
# A record for each line that is not empty: kcat sends none for the others.
grep -v '^$' "$file" >"$work/lines" || die "$file has no lines"
lines=$(wc -l <"$work/lines")
bytes=$(wc -c <"$work/lines")

mkdir -p build/quickstart/run
cd build/quickstart/run
mkfifo "$work/said"
say "starting: mq server-start"
../mq server-start 2>"$work/said" &
broker=$!
exec 3<"$work/said"
address=
while read -r line <&3; do
	printf '    %s\n' "$line" >&2
	case $line in
	*ready*) address=127.0.0.1:9092; break ;;
	esac
done
[ -n "$address" ] || die "the broker did not start"
cat <&3 >/dev/null &

now() {
	date +%s%N
}
took() { # START: seconds since, and MB/s
	awk -v a="$1" -v b="$(now)" -v n="$bytes" 'BEGIN { s = (b - a) / 1e9; printf "%.2f s, %.0f MB/s", s, n / 1e6 / s }'
}

topic=quickstart-$$
say "producing $lines lines ($bytes bytes) of $file to topic $topic"
start=$(now)
kcat -b "$address" -P -t "$topic" <"$work/lines" || die "kcat could not produce"
say "produced in $(took "$start")"
start=$(now)
kcat -b "$address" -C -t "$topic" -o beginning -e -q >"$work/back" || die "kcat could not consume"
say "consumed in $(took "$start")"
cmp "$work/lines" "$work/back" || die "what came back differs"
say "$lines lines came back, the same and in the same order"
say "the data is in $PWD/mq-data; look at it with:"
say "    build/quickstart/mq server-start      (in $PWD)"
say "    kcat -b $address -C -t $topic -o beginning -e"
