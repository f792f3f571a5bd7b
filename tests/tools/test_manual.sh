#!/bin/sh
# Real pages are clean for mandoc, stubs lead to a page that is there, and every
# public function, every error and every command has an entry; what pages refer to
# is there.
status=0
pages=0 stubs=0
for page in "$srcdir"/man/*.[1-9]; do
	target=$(sed -n '1s/^\.so man[1-9]\///p' "$page")
	if [ -n "$target" ]; then
		stubs=$((stubs + 1))
		if ! grep -q "$(basename "$page" | sed 's/\.[1-9]$//')" "$srcdir/man/$target"; then
			echo "$page: $target does not speak of it"
			status=1
		fi
		continue
	fi
	pages=$((pages + 1))
	if command -v mandoc >/dev/null; then
		mandoc -Tlint -Wwarning "$page" || status=1
	fi
done
for symbol in $(sed -n 's/^[[:space:]]*\(mq_[a-z0-9_]*\);$/\1/p' "$srcdir/lib/mq.map"); do
	if [ ! -e "$srcdir/man/$symbol.3" ]; then
		echo "$symbol has no page man/$symbol.3"
		status=1
	fi
done
for error in $(sed -n 's/^[[:space:]]*\(MQ_E_[A-Z_]*\) = .*/\1/p' "$srcdir/include/mq/error.h"); do
	if ! grep -q "^\.It Dv $error Pq" "$srcdir/man/mq_errors.7"; then
		echo "$error has no entry in man/mq_errors.7"
		status=1
	fi
done
for command in $(sed -n 's/^[[:space:]]*{"\([a-z-]*\)", cmd_.*/\1/p' "$srcdir/examples/mq/main.c"); do
	if [ ! -e "$srcdir/man/mq-$command.1" ] || ! grep -q "^\.It Cm $command$" "$srcdir/man/mq.1"; then
		echo "mq $command has no page man/mq-$command.1, or no entry in man/mq.1"
		status=1
	fi
done
# References to pages of ours: NAME SECTION.
for reference in $(sed -n 's/^\.Xr \(mq[a-z_-]*\) \([1-9]\).*/\1.\2/p' "$srcdir"/man/*.[1-9] | sort -u); do
	if [ ! -e "$srcdir/man/$reference" ]; then
		echo "there is no page $reference, which $(grep -l "^\.Xr ${reference%.*} ${reference##*.}" \
			"$srcdir"/man/*.[1-9] | head -n 1) refers to"
		status=1
	fi
done
command -v mandoc >/dev/null || echo "mandoc is not installed: pages are not linted"
echo "$pages pages, $stubs stubs"
[ $pages -gt 0 ] || status=1
exit $status
