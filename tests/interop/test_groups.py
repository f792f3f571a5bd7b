"""Consumer groups of real clients: kcat's, and groups of librdkafka, kafka-python and libmq
members that come, go, are killed and paused; with kafkajs members where MQ_NPM is the
directory it is installed in (make check-npm)."""
import signal
import unittest

from broker import Broker, kcat, need, until

need('confluent_kafka')
need('kafka')
from kafka import KafkaAdminClient  # noqa: E402
from members import NPM, PARTITIONS, Member, Watch, all_owned, owners, produce, values  # noqa: E402


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
        produce(self.broker.address, topic, first, n)

    def test_mixed_members_share_a_topic(self):
        self.share_a_topic('groups-mixed', ['librdkafka', 'libmq', 'libmq', 'kafka-python'])

    @unittest.skipUnless(NPM, 'kafkajs is not installed: make check-npm does it')
    def test_kafkajs_members_share_a_topic_with_others(self):
        # Not the one that is paused: kafkajs stops for good when a commit finds it out of its group.
        self.share_a_topic('groups-kafkajs', ['kafkajs', 'libmq', 'librdkafka', 'kafkajs'])

    def share_a_topic(self, topic, kinds):
        """The second is killed, the third paused, the last joins instead."""
        group = topic
        self.produce(topic, 0, 600)
        everybody = []

        def member(kind):
            everybody.append(Member(kind, self.broker.address, group, topic))
            self.addCleanup(everybody[-1].process.kill)
            return everybody[-1]

        first = member(kinds[0])
        until('the first member has all', lambda: all_owned([first]))
        watch = Watch(self.broker, group)
        watch.start()
        second, third = member(kinds[1]), member(kinds[2])
        until('three share', lambda: all(m.owns() for m in (first, second, third)) and
              all_owned([first, second, third]))
        self.produce(topic, 600, 1200)
        # One dies without a word, another joins.
        second.kill()
        fourth = member(kinds[3])
        self.produce(topic, 1800, 1200)
        until('three share again', lambda: fourth.owns() and all_owned([first, third, fourth]))
        # One sleeps through its session, and wakes up to find itself out.
        before = len(first.said)
        third.process.send_signal(signal.SIGSTOP)
        until('the others have noticed', lambda: all_owned([first, fourth]) and len(first.said) > before)
        self.produce(topic, 3000, 600)
        third.process.send_signal(signal.SIGCONT)
        until('it has joined again', lambda: all_owned([first, third, fourth]))
        # The broker goes and comes back.
        self.broker.kill()
        self.broker.start()
        self.produce(topic, 3600, 600)
        wanted = {str(i) for i in range(4200)}
        until('every record was consumed',
              lambda: values(everybody) >= wanted)
        watch.end()
        for m in everybody:
            m.end()
        self.assertEqual(watch.wrong, [])
        self.assertGreater(watch.looks, 20)
        self.assertGreater(watch.breaks, 0)
        owned = owners(everybody)
        self.assertEqual({len(who) for who in owned.values()}, {1})
        self.assertGreater(len({g for _, g in owned}), 2)
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
