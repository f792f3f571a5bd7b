#!/usr/bin/env python3
"""Instructions per record of a producer: callgrind twice with different numbers of records,
and what they differ by. The kernel's are not in it; in exchange the figures are the same on
any machine to a fraction of a percent. In the last two lines the broker's are.

usage: builddir=BUILD instructions.py"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'interop'))
import broker as interop  # noqa: E402

BUILD = os.environ.get('builddir', '.')
# By the rows of bench_producer.
SIZES = {'0': '100 B', '1': '1 KB', '4': '100 B, linger.ms=0'}
RUNS = (('libmq', '0'), ('librdkafka', '0'), ('libmq', '1'), ('librdkafka', '1'), ('inproc', '0'),
        ('inproc', '4'))
RECORDS = (40000, 120000)


def count(side, row, records, broker):
    """Instructions of one run."""
    out = subprocess.run(
        [os.path.join(BUILD, 'libtool'), '--mode=execute', 'valgrind', '--tool=callgrind',
         '--callgrind-out-file=/dev/null', os.path.join(BUILD, 'tests/bench/bench_producer'),
         '-o', side, '-r', row, '-n', str(records), '-b', broker.address],
        cwd=broker.dir, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, check=True)
    return int(re.search(r'Collected : (\d+)', out.stderr).group(1))


def main():
    with interop.Broker() as broker:
        for side, row in RUNS:
            few, many = (count(side, row, n, broker) for n in RECORDS)
            # Each run sends a quarter more to warm up, and of large records a quarter.
            n = (RECORDS[1] - RECORDS[0]) * 5 / 4 / (4 if row == '1' else 1)
            print('%-10s %-18s %6.0f instructions a record' % (side, SIZES[row], (many - few) / n),
                  flush=True)


main()
