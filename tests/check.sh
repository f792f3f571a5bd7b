#!/bin/sh
# README's second command: on a fresh Debian or Ubuntu machine installs what is
# missing, builds, and runs every test. SANITIZE=address,undefined or =thread
# builds and tests with sanitizers instead.
set -eu
cd "$(dirname "$0")/.."
. tests/setup.sh

install_packages $BUILD_PACKAGES check binutils g++ libsubunit-dev python3 mandoc openssl -- \
	kcat librdkafka-dev python3-kafka python3-confluent-kafka python3-lz4 python3-zstandard python3-snappy man-db procps strace
directory=build/check
set -- --enable-werror
if [ -n "${SANITIZE:-}" ]; then
	directory=build/check-$(echo "$SANITIZE" | tr , -)
	set -- "$@" --enable-sanitize="$SANITIZE"
fi
build "$directory" "$@"
say "testing"
cd "$directory"
status=0
make -j2 check ${TESTS:+TESTS="$TESTS"} || status=$?
if [ $status != 0 ]; then
	for log in $(grep -lE '^:test-result: (FAIL|ERROR)' $(find . -name '*.trs') | sed 's/trs$/log/'); do
		printf '\n===== %s\n' "$log"
		tail -n 60 "$log"
	done
fi
passed=$(cat $(find . -name '*.trs') | grep -c '^:test-result: PASS' || :)
failed=$(cat $(find . -name '*.trs') | grep -cE '^:test-result: (FAIL|ERROR)' || :)
skipped=$(cat $(find . -name '*.trs') | grep -c '^:test-result: SKIP' || :)
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
