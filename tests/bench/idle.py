#!/usr/bin/env python3
"""What a broker costs that does nothing: time to start, memory, wake-ups.

usage: builddir=BUILD idle.py [SECONDS]     how long wake-ups are watched for (60)"""
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'interop'))
from broker import Broker  # noqa: E402

RUNS = 9


def start_ms(broker):
    """Milliseconds from fork to the line that says the listeners accept."""
    begin = time.monotonic()
    broker.start()
    return (time.monotonic() - begin) * 1000


def report(what, values, unit='ms'):
    print('%-48s min %7.1f  median %7.1f  max %7.1f %s' %
          (what, min(values), statistics.median(values), max(values), unit))


def memory_kb(pid):
    rollup = open('/proc/%d/smaps_rollup' % pid).read()
    return {k: int(v) for k, v in re.findall(r'^(Rss|Anonymous):\s+(\d+) kB', rollup, re.M)}


def start_up():
    empty = []
    for _ in range(RUNS):
        with Broker() as broker:
            broker.stop()
            shutil.rmtree(os.path.join(broker.dir, 'data'))
            empty.append(start_ms(broker))
    report('start on an empty directory', empty)
    with Broker() as broker:
        broker.mq('topics', '--create', '--topic', 'many', '--partitions', '1000')
        lines = ''.join('%d:%d\n' % (i, i) for i in range(20000)).encode()
        subprocess.run(['kcat', '-b', broker.address, '-P', '-t', 'many', '-K:'], input=lines, check=True)
        times = []
        for _ in range(RUNS):
            broker.stop()
            times.append(start_ms(broker))
        report('start with 1,000 partitions after a clean stop', times)


def idle(seconds):
    with Broker() as broker:
        broker.mq('topics', '--create', '--topic', 'one')
        subprocess.run(['kcat', '-b', broker.address, '-P', '-t', 'one'], input=b'x\n', check=True)
        broker.stop()
        broker.start()
        m = memory_kb(broker.process.pid)
        print('%-48s %d kB resident, %d kB of it anonymous' % ('idle with one topic', m['Rss'], m['Anonymous']))
        if shutil.which('strace') is None:
            print('strace is not installed: wake-ups were not watched')
            return
        r = subprocess.run(['timeout', '-s', 'INT', str(seconds), 'strace', '-f', '-q', '-p', str(broker.process.pid)],
                           capture_output=True, text=True)
        # The calls each thread is in when strace comes are shown once, unfinished.
        calls = [line for line in r.stderr.splitlines()
                 if re.search(r'\w+\(', line) and not re.search(r'<unfinished|strace:|detached| <\.\.\.', line)
                 and not re.search(r'(restart_syscall|epoll_wait|futex|poll|rt_sigtimedwait|pause)\([^)]*$', line)]
        print('%-48s %d system calls in %d s' % ('wake-ups when idle', len(calls), seconds))
        for line in calls[:10]:
            print('    ' + line)


if __name__ == '__main__':
    start_up()
    idle(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
