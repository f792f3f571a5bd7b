"""librdkafka by its Python binding: idempotent producer, admin calls, restarts and kills."""
import os
import time
import unittest

from broker import DEADLINE, Broker, need, until

confluent_kafka = need('confluent_kafka')
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition  # noqa: E402
from confluent_kafka.admin import (AdminClient, ConfigResource, NewPartitions, NewTopic)  # noqa: E402


def consume(address, topic, partitions=1, **conf):
    """Everything in the topic at present: a list of messages per partition."""
    consumer = Consumer({'bootstrap.servers': address, 'group.id': 'unused', 'enable.auto.commit': False,
                         'enable.partition.eof': True, 'check.crcs': True, 'auto.offset.reset': 'error', **conf})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    records = [[] for _ in range(partitions)]
    left = set(range(partitions))
    while left:
        message = consumer.poll(60)
        if message is None:
            raise AssertionError('nothing came for 60 s')
        if message.error() is None:
            records[message.partition()].append(message)
        elif message.error().code() == KafkaError._PARTITION_EOF:
            left.discard(message.partition())
        else:
            raise AssertionError(message.error())
    consumer.close()
    return records


class Acked:
    """Counts what was acknowledged, by value."""

    def __init__(self):
        self.offsets = {}
        self.errors = []

    def __call__(self, err, message):
        if err is not None:
            self.errors.append(str(err))
        else:
            self.offsets[message.value()] = (message.partition(), message.offset())


class Librdkafka(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker().start()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def produce(self, topic, values, **conf):
        acked = Acked()
        producer = Producer({'bootstrap.servers': self.broker.address, **conf})
        for v in values:
            producer.produce(topic, v, on_delivery=acked)
            producer.poll(0)
        self.assertEqual(producer.flush(60), 0)
        self.assertEqual(acked.errors, [])
        return acked

    def test_idempotent_producer_with_every_codec(self):
        for codec in ('none', 'gzip', 'snappy', 'lz4', 'zstd'):
            with self.subTest(codec=codec):
                values = [b'%d' % i for i in range(5000)]
                acked = self.produce('idem-' + codec, values,
                                     **{'enable.idempotence': True, 'compression.type': codec})
                self.assertEqual([acked.offsets[v] for v in values], [(0, i) for i in range(5000)])
                got = consume(self.broker.address, 'idem-' + codec)[0]
                self.assertEqual([m.value() for m in got], values)

    def test_key_headers_timestamp_and_null(self):
        producer = Producer({'bootstrap.servers': self.broker.address})
        producer.produce('fields', b'v', b'k', headers=[('a', b'1'), ('b', None), ('a', b'2')],
                         timestamp=1500000000123)
        producer.produce('fields', None, b'k2')
        self.assertEqual(producer.flush(60), 0)
        got = consume(self.broker.address, 'fields')[0]
        self.assertEqual((got[0].key(), got[0].value(), got[0].headers(), got[0].timestamp()[1]),
                         (b'k', b'v', [('a', b'1'), ('b', None), ('a', b'2')], 1500000000123))
        self.assertIsNone(got[1].value())

    def test_large_records(self):
        value = os.urandom(900_000)
        self.produce('large', [value] * 8)
        self.assertEqual([m.value() == value for m in consume(self.broker.address, 'large')[0]], [True] * 8)

    def test_a_record_larger_than_the_topic_allows_is_refused(self):
        acked = Acked()
        producer = Producer({'bootstrap.servers': self.broker.address, 'message.max.bytes': 4_000_000})
        producer.produce('too-large', os.urandom(2_000_000), on_delivery=acked)
        self.assertEqual(producer.flush(60), 0)
        self.assertEqual(len(acked.errors), 1)
        self.assertIn('MSG_SIZE_TOO_LARGE', acked.errors[0])

    def test_admin_calls(self):
        admin = AdminClient({'bootstrap.servers': self.broker.address})
        admin.create_topics([NewTopic('adm', 2, 1, config={'segment.bytes': '1048576'})])['adm'].result(60)
        self.assertEqual(len(admin.list_topics(timeout=60).topics['adm'].partitions), 2)
        admin.create_partitions([NewPartitions('adm', 4)])['adm'].result(60)
        until('4 partitions', lambda: len(admin.list_topics(timeout=60).topics['adm'].partitions) == 4)
        resource = ConfigResource('topic', 'adm', set_config={'retention.ms': '5000'})
        admin.alter_configs([resource])[resource].result(60)
        resource = ConfigResource('topic', 'adm')
        configs = admin.describe_configs([resource])[resource].result(60)
        self.assertEqual(configs['retention.ms'].value, '5000')
        self.assertEqual(configs['segment.bytes'].value, '1073741824')  # replaced as a whole
        admin.delete_topics(['adm'])['adm'].result(60)
        until('the topic gone', lambda: 'adm' not in admin.list_topics(timeout=60).topics)

    def test_read_committed_and_uncommitted_end_alike(self):
        self.produce('isolation', [b'%d' % i for i in range(10)])
        for level in ('read_committed', 'read_uncommitted'):
            got = consume(self.broker.address, 'isolation', **{'isolation.level': level})[0]
            self.assertEqual(len(got), 10)


class Restarts(unittest.TestCase):
    def test_everything_is_there_after_a_clean_restart(self):
        with Broker() as broker:
            admin = AdminClient({'bootstrap.servers': broker.address})
            admin.create_topics([NewTopic('kept', 3, 1, config={'retention.bytes': '-1'})])['kept'].result(60)
            producer = Producer({'bootstrap.servers': broker.address})
            for i in range(3000):
                producer.produce('kept', b'%d' % i, partition=i % 3)
            self.assertEqual(producer.flush(60), 0)
            before = broker.mq('metadata', '--json')
            broker.stop()
            broker.start()
            self.assertEqual(broker.mq('metadata', '--json'), before)
            got = consume(broker.address, 'kept', 3)
            self.assertEqual([[int(m.value()) for m in p] for p in got],
                             [list(range(p, 3000, 3)) for p in range(3)])

    def test_kills_while_producing_lose_and_repeat_nothing(self):
        # A kill that finds everything acknowledged shows nothing: six others are wanted.
        kills, records_per_kill = 0, 4000
        interrupted = 0
        acked = Acked()
        with Broker({'log.segment.bytes': '1048576'}) as broker:
            broker.mq('topics', '--create', '--topic', 'killed', '--partitions', '3')
            producer = Producer({'bootstrap.servers': broker.address, 'enable.idempotence': True,
                                 'linger.ms': 1, 'batch.num.messages': 50, 'reconnect.backoff.max.ms': 100,
                                 'retry.backoff.ms': 20, 'message.timeout.ms': 120000})
            n = 0
            while interrupted < 6:
                kills += 1
                self.assertLessEqual(kills, 18, 'too few kills found something unacknowledged')
                goal = len(acked.offsets) + records_per_kill // 4
                for _ in range(records_per_kill):
                    producer.produce('killed', b'%d' % n, partition=n % 3, on_delivery=acked)
                    n += 1
                deadline = time.monotonic() + DEADLINE
                while len(acked.offsets) < goal:  # at once, or the rest is acknowledged too
                    self.assertLess(time.monotonic(), deadline, 'not enough was acknowledged')
                    producer.poll(0.1)
                interrupted += len(producer) > 0
                broker.kill()
                broker.start()
            self.assertEqual(producer.flush(120), 0)
            self.assertEqual(acked.errors, [])
            print('%d kills, %d of them with batches unacknowledged' % (kills, interrupted))
            got = consume(broker.address, 'killed', 3)
            for p in range(3):
                self.assertEqual([int(m.value()) for m in got[p]], list(range(p, n, 3)))
                for m in got[p]:
                    self.assertEqual(acked.offsets[m.value()], (p, m.offset()))


if __name__ == '__main__':
    unittest.main(verbosity=2)
