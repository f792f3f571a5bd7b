"""The records of records.h, as a reader has to find them, and the program that sends them."""
import os
import subprocess

PARTITIONS = 3
TIME = 1500000000000
CODECS = ('none', 'gzip', 'snappy', 'lz4', 'zstd')
PRODUCE = os.path.join(os.environ.get('builddir', '.'), 'tests', 'interop', 'produce')


def expected(i, base=TIME):
    """Number i as (timestamp, key, value, headers)."""
    key = None if i % 5 == 0 else '' if i % 5 == 1 else 'key %d' % i
    value = ('value %d ' % i).ljust(300, 'v')[:20 + i % 250]
    value = None if i % 7 == 0 else '' if i % 7 == 1 else value
    headers = [('number', str(i)), ('null', None), ('number', '')][:i % 4]
    return base + i, key, value, headers


def partitions(n, base=TIME):
    """What each partition holds after numbers 0 to n - 1."""
    return {p: [expected(i, base) for i in range(p, n, PARTITIONS)] for p in range(PARTITIONS)}


def produce(address, topic, n, *conf, first=0):
    """Runs the program to its end; its line of figures."""
    r = subprocess.run([PRODUCE, topic, str(first), str(n), 'bootstrap.servers=' + address, *conf],
                       capture_output=True, text=True, timeout=120)
    if r.returncode != 0:
        raise AssertionError('produce: %d\n%s%s' % (r.returncode, r.stdout, r.stderr))
    return r.stdout
