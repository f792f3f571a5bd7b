"""Members of a consumer group as programs of their own, and what a test looks at."""
import collections
import json
import os
import signal
import subprocess
import sys
import threading
import traceback

from confluent_kafka import Producer
from kafka import KafkaAdminClient
from kafka.errors import KafkaConnectionError, KafkaError

from broker import DEADLINE

HERE = os.path.dirname(os.path.abspath(__file__))
PARTITIONS = 6
NPM = os.environ.get('MQ_NPM')


class Member:
    """A program that is one member; what it says. It has to end well, unless it is killed."""

    def __init__(self, kind, address, group, topic, assignor='range'):
        program = [sys.executable, '-B', os.path.join(HERE, 'group_member.py'), kind]
        if kind == 'libmq':
            program = [os.path.join(os.environ.get('builddir', '.'), 'tests/interop/group_member')]
        elif kind == 'kafkajs':
            program = ['node', os.path.join(NPM, 'group_member.js')]
        self.process = subprocess.Popen(
            program + [address, group, topic, assignor],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.kind = kind
        self.said = []
        self.wrong = []
        self.killed = False
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            try:
                self.said.append(json.loads(line))
            except ValueError:
                # It may have been killed in the middle of its last line.
                if not self.killed or line.endswith('\n'):
                    self.wrong.append(line)

    def records(self):
        return [s for s in list(self.said) if 'value' in s]

    def owns(self):
        owned = [s['assigned'] for s in list(self.said) if 'assigned' in s]
        return owned[-1] if owned else None

    def end(self):
        """It leaves the group, if it was not killed."""
        if not self.killed:
            self.process.stdin.close()
            self.ended(0)

    def kill(self):
        self.killed = True
        self.process.kill()
        self.process.stdin.close()
        self.ended(-signal.SIGKILL)

    def ended(self, good):
        status = self.process.wait(DEADLINE)
        self.reader.join(DEADLINE)
        self.process.stdout.close()
        if status != good or self.wrong:
            raise AssertionError('a member of %s ended with %d, not %d; what it said and nobody understands: %s' %
                                 (self.kind, status, good, self.wrong))


class Watch(threading.Thread):
    """Looks at the committed offsets all the time: none ever goes back."""

    def __init__(self, server, group):
        super().__init__(daemon=True)
        self.server = server
        self.admin = None
        self.group = group
        self.stopping = threading.Event()
        self.seen = {}
        self.looks = self.breaks = 0
        self.wrong = []

    def connect(self):
        try:
            return KafkaAdminClient(bootstrap_servers=self.server.address)
        except ValueError:
            # kafka-python, asking a broker that dies for its versions, gives a selector the
            # socket that it has just lost (BrokerConnection.check_version): None.
            raise KafkaConnectionError from None

    def offsets(self):
        """None while the broker is away."""
        try:
            if self.admin is None:
                self.admin = self.connect()
            return self.admin.list_consumer_group_offsets(self.group)
        except KafkaError:
            self.admin = None
            return None

    def run(self):
        try:
            self.watch()
        except Exception:
            self.wrong.append(traceback.format_exc())

    def watch(self):
        while not self.stopping.wait(0.02):
            offsets = self.offsets()
            if offsets is None:
                self.breaks += 1
                continue
            for p, o in offsets.items():
                if o.offset < self.seen.get(p.partition, -1):
                    self.wrong.append((p.partition, self.seen[p.partition], o.offset))
                self.seen[p.partition] = o.offset
            self.looks += 1

    def end(self):
        self.stopping.set()
        self.join(DEADLINE)
        if self.is_alive():
            raise AssertionError('the committed offsets were not answered within %d s' % DEADLINE)
        if self.admin:
            self.admin.close()


def produce(address, topic, first, n):
    """Numbers, in all partitions, while members are at work."""
    producer = Producer({'bootstrap.servers': address, 'linger.ms': 5})
    for i in range(first, first + n):
        producer.produce(topic, str(i).encode(), partition=i % PARTITIONS)
        producer.poll(0.002 if i % 10 == 0 else 0)
    if producer.flush(30) != 0:
        raise AssertionError('not everything was delivered')


def all_owned(members):
    return sorted(p for m in members for p in m.owns() or []) == list(range(PARTITIONS))


def owners(members):
    """(partition, generation): the numbers of the members that had records of it."""
    found = collections.defaultdict(set)
    for number, member in enumerate(members):
        for r in member.records():
            if r['generation'] >= 0:
                found[r['partition'], r['generation']].add(number)
    return found


def values(members):
    return {r['value'] for m in members for r in m.records()}
