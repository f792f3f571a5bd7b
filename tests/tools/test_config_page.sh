#!/bin/sh
# The page mq_config(5) in the tree is what the table of keys says today.
page=$srcdir/man/mq_config.5
if "$builddir/man/print_config" | diff -u "$page" -; then
	echo "mq_config.5 is up to date: $(grep -c '^\.It Cm' "$page") entries"
else
	echo "man/mq_config.5 is not what man/print_config prints: run make update-man"
	exit 1
fi
