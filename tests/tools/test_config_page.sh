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
check mq_config.5 print_config Cm
check mq_errors.7 print_errors 'Dv MQ_E_.* Pq'
exit $status
