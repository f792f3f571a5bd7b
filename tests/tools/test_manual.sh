#!/bin/sh
# Real pages are clean for mandoc, stubs lead to a page that is there, and every
# public function has an entry.
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
command -v mandoc >/dev/null || echo "mandoc is not installed: pages are not linted"
echo "$pages pages, $stubs stubs"
[ $pages -gt 0 ] || status=1
exit $status
