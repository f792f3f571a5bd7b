"""A real `mq server-start` for tests: started on a free port, stopped, killed. Whatever a
test waits for has a deadline and a name."""
import faulthandler
import os
import queue
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

MQ = os.path.join(os.environ.get('builddir', '.'), 'mq')
READY = re.compile(r'ready\b.*?(\[[0-9a-f:]+\]|[\w.-]+):(\d+)')
DEADLINE = 60
PAUSE = 0.02
# What has no deadline of its own, in a client's library, ends here: it is shown where each thread is.
PROGRAM_DEADLINE = 1800
faulthandler.dump_traceback_later(PROGRAM_DEADLINE, exit=True)


def skip(why):
    """Ends the whole test program as skipped, saying why."""
    print('SKIP: ' + why)
    sys.exit(77)


def need(module):
    try:
        return __import__(module)
    except ImportError:
        skip('python3 has no module ' + module)


def until(what, condition, deadline=DEADLINE):
    """Asks again until the condition holds; for things only a peer can tell."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError('not within %d s: %s' % (deadline, what))
        time.sleep(PAUSE)


class Lines:
    """The lines of a program's stream as they come. They are kept in seen, also when nobody asks."""

    def __init__(self, stream, seen=None):
        self.stream = stream
        self.seen = [] if seen is None else seen
        self.coming = queue.Queue()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.stream:
            self.seen.append(line)
            self.coming.put(line)
        self.coming.put(None)

    def next(self, what, deadline=DEADLINE):
        """The next line, which is to tell what; None: there is no more."""
        try:
            return self.coming.get(timeout=max(0, deadline))
        except queue.Empty:
            raise AssertionError('it is late: %s\n%s' % (what, ''.join(self.seen[-40:]))) from None

    def find(self, what, expression):
        """The match in the first line that has one."""
        end = time.monotonic() + DEADLINE
        while True:
            line = self.next(what, end - time.monotonic())
            if line is None:
                raise AssertionError('ended without: %s\n%s' % (what, ''.join(self.seen)))
            m = re.search(expression, line)
            if m:
                return m

    def end(self, what):
        """What is left, when there is no more."""
        rest = []
        while (line := self.next(what)) is not None:
            rest.append(line)
        return ''.join(rest)

    def close(self):
        """After the program has ended."""
        self.thread.join(DEADLINE)
        self.stream.close()


def free_port():
    """Where nobody listens now, and below what the system gives to sockets that ask for any: while
    the broker is down another connection could have got its port, even one meant for the broker."""
    for _ in range(1000):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(('127.0.0.1', random.randrange(10000, 32768)))
            except OSError:
                continue
            return s.getsockname()[1]
    raise AssertionError('no free port in 1000 tries')


class Broker:
    """One broker in its own data directory. conf: keys of server.properties, with '.' as '_'
    in Python's keyword form or given as a dict."""

    def __init__(self, conf=None, listeners='PLAINTEXT://127.0.0.1:0'):
        self.dir = tempfile.mkdtemp(prefix='mq-interop-')
        # The same ports after a restart, so that clients find it again.
        listeners = re.sub(r':0(?=,|$)', lambda _: ':%d' % free_port(), listeners)
        self.conf = {'broker.id': '0', 'listeners': listeners,
                     'log.dirs': os.path.join(self.dir, 'data')}
        self.conf.update(conf or {})
        self.process = None
        self.port = None
        self.log = []

    def start(self):
        path = os.path.join(self.dir, 'server.properties')
        with open(path, 'w') as f:
            for key, value in self.conf.items():
                f.write('%s=%s\n' % (key, value))
        self.process = subprocess.Popen([MQ, 'server-start', path], stderr=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL, text=True, errors='replace')
        self.lines = Lines(self.process.stderr, self.log)
        try:
            self.port = int(self.lines.find('the broker is ready', READY).group(2))
        except AssertionError:
            self.process.kill()
            self.ended()
            raise
        return self

    @property
    def address(self):
        return '127.0.0.1:%d' % self.port

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.ended()
        if status != 0:
            raise AssertionError('the broker ended with %d:\n%s' % (status, ''.join(self.log)))

    def kill(self):
        self.process.kill()
        status = self.ended()
        if status != -signal.SIGKILL:
            raise AssertionError('the broker to be killed had ended with %d:\n%s' % (status, ''.join(self.log)))

    def ended(self):
        try:
            status = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.lines.close()
        self.process = None
        return status

    def close(self):
        try:
            if self.process:
                self.stop()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        if exc[0] is not None:
            sys.stderr.write(''.join(self.log[-40:]))
            if self.process:
                self.process.kill()
                self.ended()
        self.close()

    def mq(self, *args, check=True):
        """Runs an mq command against the broker; its standard output."""
        r = subprocess.run([MQ, args[0], '--bootstrap-server', self.address, *args[1:]],
                           capture_output=True, text=True, timeout=DEADLINE)
        if check and r.returncode != 0:
            raise AssertionError('mq %s: %d\n%s%s' % (' '.join(args), r.returncode, r.stdout, r.stderr))
        return r.stdout if check else r

    @staticmethod
    def mq_offline(*args):
        """Runs an mq command that needs no broker; its standard output."""
        r = subprocess.run([MQ, *args], capture_output=True, text=True, timeout=DEADLINE)
        if r.returncode != 0:
            raise AssertionError('mq %s: %d\n%s%s' % (' '.join(args), r.returncode, r.stdout, r.stderr))
        return r.stdout


def kcat(*args, stdin=None, check=True):
    """Runs kcat; its standard output as bytes."""
    if shutil.which('kcat') is None:
        skip('kcat is not installed')
    r = subprocess.run(['kcat', *args], input=stdin, capture_output=True, timeout=2 * DEADLINE)
    if check and r.returncode != 0:
        raise AssertionError('kcat %s: %d\n%s' % (' '.join(args), r.returncode, r.stderr.decode()))
    return r.stdout if check else r
