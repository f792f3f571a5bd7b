#!/bin/sh
# Runs the checks of the house rules on the tree and on the library just built.
library=$builddir/.libs/libmq.so
[ -e "$library" ] || { library=; echo "tidy: no shared library, so its symbols are not checked"; }
exec "${PYTHON:-python3}" "$srcdir/tests/tools/house_rules.py" "$srcdir" $library
