"""Consumer groups of real clients: kcat's, and groups of librdkafka, kafka-python and libmq
members that come, go, are killed and paused; with kafkajs members where MQ_NPM is the
directory it is installed in (make check-npm)."""
import collections
import json
import os
import signal
import subprocess
import sys
import threading
import unittest

from broker import Broker, kcat, need, until

need('confluent_kafka')
need('kafka')
from confluent_kafka import Producer  # noqa: E402
from kafka import KafkaAdminClient  # noqa: E402
from kafka.errors import KafkaError  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PARTITIONS = 6
NPM = os.environ.get('MQ_NPM')


class Member:
    def __init__(self, kind, broker, group, topic):
        program = [sys.executable, '-B', os.path.join(HERE, 'group_member.py'), kind]
        if kind == 'libmq':
            program = [os.path.join(os.environ.get('builddir', '.'), 'tests/interop/group_member')]
        elif kind == 'kafkajs':
            program = ['node', os.path.join(NPM, 'group_member.js')]
        self.process = subprocess.Popen(
            program + [broker.address, group, topic],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.said = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            try:
                self.said.append(json.loads(line))
            except ValueError:
                pass  # killed in the middle of a line

    def records(self):
        return [s for s in list(self.said) if 'value' in s]

    def owns(self):
        owned = [s['assigned'] for s in list(self.said) if 'assigned' in s]
        return owned[-1] if owned else None

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
        self.process.wait(30)
        self.reader.join(30)
        self.process.stdout.close()

    def kill(self):
        self.process.kill()
        self.process.stdin.close()
        self.end()


class Watch(threading.Thread):
    """Looks at the committed offsets all the time: none ever goes back."""

    def __init__(self, broker, group):
        super().__init__(daemon=True)
        self.broker = broker
        self.admin = None
        self.group = group
        self.stopping = threading.Event()
        self.seen = {}
        self.looks = self.breaks = 0
        self.wrong = []

    def offsets(self):
        """None while the broker is away."""
        try:
            if self.admin is None:
                self.admin = KafkaAdminClient(bootstrap_servers=self.broker.address)
            return self.admin.list_consumer_group_offsets(self.group)
        except KafkaError:
            self.admin = None
            return None

    def run(self):
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
        self.join(30)
        if self.admin:
            self.admin.close()


class Groups(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker({'num.partitions': str(PARTITIONS), 'group.initial.rebalance.delay.ms': '100'}).start()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def test_kcat_goes_on_where_its_group_was(self):
        def consume(n):
            return kcat('-b', self.broker.address, '-G', 'kcat', '-q', '-c', str(n), '-X',
                        'auto.offset.reset=earliest', 'groups-kcat')

        kcat('-b', self.broker.address, '-P', '-t', 'groups-kcat', '-p', '0', stdin=b'a\nb\nc\n')
        self.assertEqual(consume(3), b'a\nb\nc\n')
        kcat('-b', self.broker.address, '-P', '-t', 'groups-kcat', '-p', '0', stdin=b'd\ne\n')
        self.assertEqual(consume(2), b'd\ne\n')

    def produce(self, topic, first, n):
        """Numbers, in all partitions, while members are at work."""
        producer = Producer({'bootstrap.servers': self.broker.address, 'linger.ms': 5})
        for i in range(first, first + n):
            producer.produce(topic, str(i).encode(), partition=i % PARTITIONS)
            producer.poll(0.002 if i % 10 == 0 else 0)
        self.assertEqual(producer.flush(30), 0)

    def all_owned(self, members):
        return sorted(p for m in members for p in m.owns() or []) == list(range(PARTITIONS))

    def one_owner_a_generation(self, members):
        owners = collections.defaultdict(set)
        for number, member in enumerate(members):
            for r in member.records():
                if r['generation'] >= 0:
                    owners[r['partition'], r['generation']].add(number)
        for who in owners.values():
            self.assertEqual(len(who), 1)
        self.assertGreater(len({g for _, g in owners}), 2)

    def test_mixed_members_share_a_topic(self):
        self.share_a_topic('groups-mixed', ['librdkafka', 'libmq', 'libmq', 'kafka-python'])

    @unittest.skipUnless(NPM, 'kafkajs is not installed: make check-npm does it')
    def test_kafkajs_members_share_a_topic_with_others(self):
        self.share_a_topic('groups-kafkajs', ['kafkajs', 'libmq', 'kafkajs', 'librdkafka'])

    def share_a_topic(self, topic, kinds):
        """The second is killed, the third paused, the last joins instead."""
        group = topic
        self.produce(topic, 0, 600)
        everybody = []

        def member(kind):
            everybody.append(Member(kind, self.broker, group, topic))
            return everybody[-1]

        first = member(kinds[0])
        until('the first member has all', lambda: self.all_owned([first]))
        watch = Watch(self.broker, group)
        watch.start()
        second, third = member(kinds[1]), member(kinds[2])
        until('three share', lambda: all(m.owns() for m in (first, second, third)) and
              self.all_owned([first, second, third]))
        self.produce(topic, 600, 1200)
        # One dies without a word, another joins.
        second.kill()
        fourth = member(kinds[3])
        self.produce(topic, 1800, 1200)
        until('three share again', lambda: fourth.owns() and self.all_owned([first, third, fourth]))
        # One sleeps through its session, and wakes up to find itself out.
        before = len(first.said)
        third.process.send_signal(signal.SIGSTOP)
        until('the others have noticed', lambda: self.all_owned([first, fourth]) and len(first.said) > before)
        self.produce(topic, 3000, 600)
        third.process.send_signal(signal.SIGCONT)
        until('it has joined again', lambda: self.all_owned([first, third, fourth]))
        # The broker goes and comes back.
        self.broker.kill()
        self.broker.start()
        self.produce(topic, 3600, 600)
        wanted = {str(i) for i in range(4200)}
        until('every record was consumed',
              lambda: {r['value'] for m in everybody for r in m.records()} >= wanted)
        watch.end()
        for m in everybody:
            m.end()
        self.assertEqual(watch.wrong, [])
        self.assertGreater(watch.looks, 20)
        self.assertGreater(watch.breaks, 0)
        self.one_owner_a_generation(everybody)
        committed = dict(watch.seen)
        self.broker.stop()
        self.broker.start()
        admin = KafkaAdminClient(bootstrap_servers=self.broker.address)
        found = {p.partition: o.offset for p, o in admin.list_consumer_group_offsets(group).items()}
        admin.close()
        for p, offset in committed.items():
            self.assertGreaterEqual(found[p], offset)


if __name__ == '__main__':
    unittest.main()
