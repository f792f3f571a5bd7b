#!/usr/bin/env python3
"""What a broker costs that does nothing: time to start and to stop, memory, connections, wake-ups.

usage: builddir=BUILD idle.py [SECONDS]     how long wake-ups are watched for (60)

The program itself is measured, not the shell script that libtool puts in front of it in the
build directory. A start is timed from the fork until connect() succeeds."""
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'interop'))
import broker as interop  # noqa: E402

RUNS = 15
SETTLE_S = 10  # a broker that has started or has been used is quiet after this
CONNECTIONS = 1000


def use_program():
    """Puts the linked program in the place of libtool's script, if there is one."""
    libs = os.path.abspath(os.path.join(os.path.dirname(interop.MQ), '.libs'))
    program = os.path.join(libs, 'mq')
    if os.path.exists(program):
        os.environ['LD_LIBRARY_PATH'] = libs
        interop.MQ = program


class Timed:
    """The broker of an interop.Broker that has stopped, run with nothing in between."""

    def __init__(self, broker):
        self.address = ('127.0.0.1', broker.port)
        self.argv = ['mq', 'server-start', os.path.join(broker.dir, 'server.properties')]
        self.conf = broker.conf
        with open(self.argv[2], 'w') as f:
            f.writelines('%s=%s\n' % item for item in self.conf.items())

    def start(self):
        """Milliseconds from fork to the first connection."""
        null = os.open(os.devnull, os.O_RDWR)
        begin = time.monotonic()
        self.pid = os.posix_spawn(interop.MQ, self.argv, os.environ,
                                  file_actions=[(os.POSIX_SPAWN_DUP2, null, 2)])
        while True:
            with socket.socket() as s:
                if s.connect_ex(self.address) == 0:
                    break
            if time.monotonic() - begin > 60:
                raise AssertionError('the broker does not accept connections')
            time.sleep(0.0002)
        took = time.monotonic() - begin
        os.close(null)
        return took * 1000

    def stop(self):
        """Milliseconds from SIGTERM to the end."""
        begin = time.monotonic()
        os.kill(self.pid, 15)
        _, status = os.waitpid(self.pid, 0)
        if status != 0:
            raise AssertionError('the broker ended with %d' % status)
        return (time.monotonic() - begin) * 1000


def report(what, values, unit='ms'):
    print('%-48s min %7.1f  median %7.1f  max %7.1f %s' %
          (what, min(values), statistics.median(values), max(values), unit), flush=True)


def memory_kb(pid):
    rollup = open('/proc/%d/smaps_rollup' % pid).read()
    return {k: int(v) for k, v in re.findall(r'^(Rss|Anonymous):\s+(\d+) kB', rollup, re.M)}


def produce(broker, topic, n):
    lines = ''.join('%d:%d\n' % (i, i) for i in range(n)).encode()
    interop.kcat('-b', broker.address, '-P', '-t', topic, '-K:', stdin=lines)


def start_on_nothing():
    with interop.Broker() as broker:
        broker.stop()
        timed = Timed(broker)
        times = []
        for _ in range(RUNS):
            shutil.rmtree(os.path.join(broker.dir, 'data'))
            times.append(timed.start())
            timed.stop()
        report('start on an empty directory', times)


def start_and_stop_with_many():
    with interop.Broker() as broker:
        broker.mq('topics', '--create', '--topic', 'many', '--partitions', '1000')
        starts, full, nothing = [], [], []
        for _ in range(5):
            produce(broker, 'many', 20000)
            begin = time.monotonic()
            broker.stop()
            full.append((time.monotonic() - begin) * 1000)
            timed = Timed(broker)
            for _ in range(3):
                starts.append(timed.start())
                nothing.append(timed.stop())
            broker.start()
        report('start with 1,000 partitions after a clean stop', starts)
        report('stop with 1,000 partitions that were appended to', full)
        report('stop with 1,000 partitions, nothing appended', nothing)


def watch(pid, seconds):
    """The system calls of a process; those it sleeps in when strace comes do not count."""
    r = subprocess.run(['timeout', '-s', 'INT', str(seconds), 'strace', '-f', '-q', '-p', str(pid)],
                       capture_output=True, text=True)
    return [line for line in r.stderr.splitlines()
            if re.search(r'\w+\(', line) and not re.search(r'<unfinished|strace:|detached| <\.\.\.', line)
            and not re.search(r'(restart_syscall|epoll_wait|futex|poll|rt_sigtimedwait|pause)\([^)]*$', line)]


def connections(broker):
    pid = broker.process.pid
    if broker.process.poll() is not None:
        raise AssertionError('the broker has ended with %d' % broker.process.returncode)
    before = memory_kb(pid)
    all_of_them = [socket.create_connection(('127.0.0.1', broker.port)) for _ in range(CONNECTIONS)]
    interop.until('all are accepted', lambda: len(os.listdir('/proc/%d/fd' % pid)) > CONNECTIONS)
    time.sleep(0.5)
    after = memory_kb(pid)
    print('%-48s %.2f kB each, resident' % ('%d idle connections' % CONNECTIONS,
                                             (after['Rss'] - before['Rss']) / CONNECTIONS), flush=True)
    for s in all_of_them:
        s.close()


def idle(seconds):
    with interop.Broker() as broker:
        broker.mq('topics', '--create', '--topic', 'one')
        produce(broker, 'one', 1)
        for _ in range(5):
            broker.stop()
            broker.start()
            m = memory_kb(broker.process.pid)
            print('%-48s %d kB resident, %d kB of it anonymous' %
                  ('idle with one topic', m['Rss'], m['Anonymous']), flush=True)
        what = 'wake-ups when idle, from %d s after the start' % SETTLE_S
        if shutil.which('strace') is None:
            print(what + ': strace is not installed')
        else:
            time.sleep(SETTLE_S)
            calls = watch(broker.process.pid, seconds)
            print('%-48s %d system calls in %d s' % (what, len(calls), seconds))
            for line in calls[:10]:
                print('    ' + line)
        connections(broker)


if __name__ == '__main__':
    use_program()
    start_on_nothing()
    start_and_stop_with_many()
    idle(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
