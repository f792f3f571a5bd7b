#!/bin/sh
# txn_kill_test as it is for clients that know no other than version 1 of transactions.
exec "$builddir/tests/producer/txn_kill_test" -k 5 -t 1
