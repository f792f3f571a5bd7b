#!/bin/sh
# The pages mq_config(5) and mq_errors(7) in the tree are what the tables of keys
# and errors say today.
status=0
check() { # PAGE PROGRAM MACRO
	if "$builddir/man/$2" | diff -u "$srcdir/man/$1" -; then
		echo "$1 is up to date: $(grep -c "^\.It $3" "$srcdir/man/$1") entries"
	else
		echo "man/$1 is not what man/$2 prints: run make update-man"
		status=1
	fi
}
# A key that nobody reads says so: it is KNOWN in the table, and not KEY. A topic's key
# names the broker's that is its default.
for key in $(sed -n 's/^KEY("\([^"]*\)".*/\1/p' "$srcdir"/lib/base/conf_table_*.h | sort -u); do
	if ! grep -qrF "\"$key\"" "$srcdir/lib" --include='*.c' &&
		! grep -qE "\"([^\"]*,)?$key([^a-z.\"][^\"]*)?\"\)$" "$srcdir"/lib/base/conf_table_*.h; then
		echo "no code reads the key $key"
		status=1
	fi
done
check mq_config.5 print_config Cm
check mq_errors.7 print_errors 'Dv MQ_E_.* Pq'
exit $status
