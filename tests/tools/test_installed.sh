#!/bin/sh
# The library as a user has it: installed with DESTDIR, found by pkg-config alone.
# README's program is taken out of README and built and run, examples are built in
# C, every header in C and in C++; also against the static library. The installed
# library is at most 1.5 MB and needs nothing that it does not use.
set -eu
fail() {
	echo "$*"
	exit 1
}
source=$(cd "$srcdir" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
trap 'exit 130' INT TERM
prefix=$(sed -n 's/^prefix=//p' "$builddir/libmq.pc")
if grep -q '^#define MQ_SANITIZE 1' "$builddir/config.h"; then
	echo "SKIP: programs without the sanitizers' runtime cannot use this build"
	exit 77
fi

if ! make -s -C "$builddir" install DESTDIR="$root" >"$root/log" 2>&1; then
	cat "$root/log"
	fail "make install DESTDIR failed"
fi
[ -x "$root$prefix/bin/mq" ] || fail "mq is not installed"

# pkg-config of a staged directory: its prefix is where the stage is.
export PKG_CONFIG_PATH="$root$prefix/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
pc() {
	pkg-config --define-variable=prefix="$root$prefix" "$@" libmq
}
cc=${CC:-cc} cxx=${CXX:-c++}
export LD_LIBRARY_PATH="$root$prefix/lib"
cd "$root"

awk '/^    #include <err.h>/ { on = 1 } on { if ($0 != "" && !/^    /) exit; sub(/^    /, ""); print }' \
	"$source/README" >prog.c
sed -i '$ { /^$/ d }' prog.c
lines=$(wc -l <prog.c)
[ "$lines" -ge 15 ] && [ "$lines" -le 25 ] || fail "README's program has $lines lines"
$cc -Wall -Werror prog.c $(pc --cflags --libs)
[ "$(./a.out)" = "0 hello" ] || fail "README's program did not print what it should"
[ "$(./a.out)" = "$(printf '0 hello\n1 hello')" ] || fail "its second run did not find the first one's record"
echo "README's program: $lines lines, built and run twice"

$cc prog.c -o static $(pc --cflags) "$root$prefix/lib/libmq.a" \
	$(pc --static --libs | sed 's/-lmq//') || fail "the static library cannot be linked"
rm -rf mq-data
[ "$(LD_LIBRARY_PATH= ./static)" = "0 hello" ] || fail "the program with the static library fails"
echo "static: $(stat -c %s static) bytes"
left=$(objdump -h "$root$prefix/lib/libmq.a" | grep -c '\.gnu\.\(debug\)\?lto_' || :)
[ "$left" -eq 0 ] || fail "the static library has $left sections for one compiler's optimizer"

n=0
for example in "$source"/examples/[0-9]*.c "$source"/examples/quickstart.c; do
	$cc -Wall -Wextra -Werror "$example" -o example $(pc --cflags --libs) -pthread || fail "$example"
	n=$((n + 1))
done
echo "$n examples built in C"

for header in "$root$prefix"/include/mq/*.h; do
	name=$(basename "$header")
	printf '#include <mq/%s>\nint main() { return 0; }\n' "$name" >h.c
	$cc -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only $(pc --cflags) h.c || fail "$name in C"
done
status=0
if command -v "$cxx" >/dev/null 2>&1; then
	for header in "$root$prefix"/include/mq/*.h; do
		name=$(basename "$header")
		printf '#include <mq/%s>\nint main() { return 0; }\n' "$name" >h.cc
		"$cxx" -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only $(pc --cflags) h.cc || fail "$name in C++"
	done
	cat >prog.cc <<'END'
#include <cstdio>
#include <string>
#include <mq/mq.h>

int main()
{
	mq_error error;
	mq_conf *conf = mq_conf_new(MQ_ROLE_BROKER), *sending = mq_conf_new(MQ_ROLE_PRODUCER);
	std::string value = "from C++";
	if (mq_conf_set(conf, "mq.inproc.name", "cxx", &error) || mq_conf_set(conf, "log.dirs", "cxx-data", &error) ||
	    mq_conf_set(sending, "bootstrap.servers", "inproc://cxx", &error))
		return 1;
	mq_broker *broker = mq_broker_start(conf, &error);
	mq_producer *producer = broker ? mq_producer_new(sending, &error) : nullptr;
	mq_record record;
	mq_record_init(&record);
	record.topic = "first";
	record.value = mq_mem(value.data(), value.size());
	mq_sent sent;
	mq_future *future = producer ? mq_producer_send_future(producer, &record, &error) : nullptr;
	if (!future || mq_future_get(future, 10000, &sent, &error)) {
		std::fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	std::printf("%lld\n", static_cast<long long>(sent.offset));
	mq_future_free(future);
	mq_producer_free(producer);
	mq_broker_free(broker);
	mq_conf_free(sending);
	mq_conf_free(conf);
}
END
	"$cxx" -std=c++11 -Wall -Wextra -Werror prog.cc -o cxx $(pc --cflags --libs) || fail "the C++ program does not compile"
	[ "$(./cxx)" = 0 ] || fail "the C++ program did not print what it should"
	echo "a program in C++ built and run"
else
	echo "SKIP: there is no C++ compiler; all the rest is tested"
	status=77
fi

strip -o stripped "$root$prefix/lib/libmq.so.0"
size=$(stat -c %s stripped)
[ "$size" -le 1500000 ] || fail "the library has $size bytes stripped, more than 1500000"
echo "the library has $size bytes stripped"
unused=$(ldd -u -r "$root$prefix/lib/libmq.so.0" 2>&1 | grep -v '^Unused\|^$\|libmq' || :)
[ -z "$unused" ] || fail "linked and not used: $unused"
objdump -T "$root$prefix/lib/libmq.so.0" | grep -q ' MQ_0\.1 .*mq_version' || fail "mq_version has no symbol version"
exit $status
