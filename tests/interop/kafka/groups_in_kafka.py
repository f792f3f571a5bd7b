"""libmq's consumer in one group with librdkafka's members, on a real Apache Kafka."""
import shutil
import signal
import tempfile
import unittest

from server import Kafka
from broker import until
try:
    from members import PARTITIONS, Member, Watch, all_owned, owners, produce, values
except ImportError as e:
    MISSING = e.name
else:
    MISSING = None


@unittest.skipIf(MISSING, 'python3 has no module %s' % MISSING)
class GroupsInKafka(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix='mq-kafka-')
        cls.kafka = Kafka(cls.dir, num_partitions=PARTITIONS, group_initial_rebalance_delay_ms=100).start()

    @classmethod
    def tearDownClass(cls):
        cls.kafka.kill()
        shutil.rmtree(cls.dir, ignore_errors=True)

    def share(self, assignor):
        """Members are added, killed and paused, while records come."""
        topic = group = 'shared-' + assignor
        everybody = []

        def member(kind):
            everybody.append(Member(kind, self.kafka.address, group, topic, assignor))
            self.addCleanup(everybody[-1].process.kill)
            return everybody[-1]

        def shared(*members):
            return lambda: all(m.owns() for m in members) and all_owned(members)

        def send(first, n):
            produce(self.kafka.address, topic, first, n)

        send(0, 600)
        first, second = member('librdkafka'), member('libmq')
        until('two share', shared(first, second))
        watch = Watch(self.kafka, group)
        watch.start()
        send(600, 600)
        third, fourth = member('libmq'), member('librdkafka')
        until('four share', shared(first, second, third, fourth))
        send(1200, 1200)
        # One of each kind dies without a word.
        second.kill()
        until('three share', shared(first, third, fourth))
        send(2400, 600)
        fourth.kill()
        until('two share again', shared(first, third))
        fifth = member('libmq')
        until('three share again', shared(first, third, fifth))
        send(3000, 600)
        # One sleeps through its session, and wakes up to find itself out.
        third.process.send_signal(signal.SIGSTOP)
        until('the others have noticed', shared(first, fifth))
        send(3600, 600)
        third.process.send_signal(signal.SIGCONT)
        until('it has joined again', shared(first, third, fifth))
        send(4200, 600)
        wanted = {str(i) for i in range(4800)}
        until('every record was consumed', lambda: values(everybody) >= wanted)
        watch.end()
        for m in everybody:
            m.end()
        self.assertEqual(watch.wrong, [])
        self.assertGreater(watch.looks, 20)
        owned = owners(everybody)
        self.assertEqual({len(who) for who in owned.values()}, {1})
        self.once_a_generation(everybody)
        self.assertGreater(len({g for _, g in owned}), 3)

    def once_a_generation(self, members):
        for m in members:
            seen = [(r['partition'], r['offset'], r['generation']) for r in m.records() if r['generation'] >= 0]
            self.assertEqual(len(seen), len(set(seen)))

    def test_range(self):
        self.share('range')

    def test_cooperative_sticky(self):
        self.share('cooperative-sticky')


if __name__ == '__main__':
    unittest.main()
