"""kafka-python, with its old and fixed versions of every request."""
import os
import unittest

from broker import Broker, need

kafka = need('kafka')
from kafka import KafkaConsumer, KafkaProducer, TopicPartition  # noqa: E402
from kafka.admin import (ConfigResource, ConfigResourceType, KafkaAdminClient,  # noqa: E402
                         NewPartitions, NewTopic)
from kafka.codec import has_lz4, has_snappy, has_zstd  # noqa: E402
from kafka.errors import (InvalidPartitionsError, TopicAlreadyExistsError,  # noqa: E402
                          UnknownTopicOrPartitionError)


class KafkaPython(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker().start()
        cls.admin = KafkaAdminClient(bootstrap_servers=cls.broker.address)

    @classmethod
    def tearDownClass(cls):
        cls.admin.close()
        cls.broker.close()

    def produce(self, topic, records, **conf):
        producer = KafkaProducer(bootstrap_servers=self.broker.address, **conf)
        futures = [producer.send(topic, **r) for r in records]
        metadata = [f.get(60) for f in futures]
        producer.close()
        return metadata

    def consumer(self, topic, partitions=1, **conf):
        consumer = KafkaConsumer(bootstrap_servers=self.broker.address, group_id=None,
                                 consumer_timeout_ms=20000, auto_offset_reset='earliest', **conf)
        self.addCleanup(consumer.close)
        consumer.assign([TopicPartition(topic, p) for p in range(partitions)])
        return consumer

    def consume(self, topic, n, partitions=1, **conf):
        consumer = self.consumer(topic, partitions, **conf)
        records = []
        for record in consumer:
            records.append(record)
            if len(records) == n:
                break
        return records

    def test_every_codec(self):
        codecs = [None, 'gzip'] + [c for c, there in
                                   (('snappy', has_snappy()), ('lz4', has_lz4()), ('zstd', has_zstd())) if there]
        print('codecs:', codecs)
        for codec in codecs:
            with self.subTest(codec=codec):
                topic = 'py-%s' % codec
                values = [b'value %d' % i for i in range(1000)]
                sent = self.produce(topic, [{'value': v} for v in values], compression_type=codec, linger_ms=20)
                self.assertEqual([m.offset for m in sent], list(range(1000)))
                got = self.consume(topic, 1000)
                self.assertEqual([r.value for r in got], values)
                self.assertEqual([r.offset for r in got], list(range(1000)))

    def test_key_headers_timestamp_and_null(self):
        headers = [('a', b'1'), ('b', b''), ('a', b'2')]
        self.produce('py-fields', [
            {'key': b'k', 'value': b'v', 'headers': headers, 'timestamp_ms': 1500000000123},
            {'key': b'k2', 'value': None}, {'key': None, 'value': b''}])
        got = self.consume('py-fields', 3)
        self.assertEqual((got[0].key, got[0].value, got[0].headers, got[0].timestamp),
                         (b'k', b'v', headers, 1500000000123))
        self.assertEqual((got[1].key, got[1].value), (b'k2', None))
        self.assertEqual((got[2].key, got[2].value), (None, b''))

    def test_a_record_of_900_kilobytes(self):
        value = os.urandom(900_000)
        self.produce('py-big', [{'value': value}], max_request_size=2_000_000)
        self.assertEqual(self.consume('py-big', 1)[0].value, value)

    def test_offsets_by_time_find_the_record_inside_a_batch(self):
        base = 1600000000000
        self.produce('py-time', [{'value': b'%d' % i, 'timestamp_ms': base + 10 * i} for i in range(100)],
                     linger_ms=200)
        consumer = self.consumer('py-time')
        tp = TopicPartition('py-time', 0)
        found = consumer.offsets_for_times({tp: base + 555})[tp]
        self.assertEqual((found.offset, found.timestamp), (56, base + 560))
        self.assertIsNone(consumer.offsets_for_times({tp: base + 100000})[tp])
        self.assertEqual(consumer.beginning_offsets([tp]), {tp: 0})
        self.assertEqual(consumer.end_offsets([tp]), {tp: 100})
        consumer.seek(tp, 97)
        self.assertEqual([next(consumer).value for _ in range(3)], [b'97', b'98', b'99'])

    def test_topics_are_created_grown_and_deleted(self):
        admin = self.admin
        admin.create_topics([NewTopic('py-admin', 3, 1, topic_configs={'retention.ms': '12345'})])
        self.assertIn('py-admin', admin.list_topics())
        with self.assertRaises(TopicAlreadyExistsError):
            admin.create_topics([NewTopic('py-admin', 3, 1)])
        admin.create_partitions({'py-admin': NewPartitions(5)})
        described = admin.describe_topics(['py-admin'])[0]
        self.assertEqual(len(described['partitions']), 5)
        with self.assertRaises(InvalidPartitionsError):
            admin.create_partitions({'py-admin': NewPartitions(5)})
        admin.delete_topics(['py-admin'])
        self.assertNotIn('py-admin', admin.list_topics())
        with self.assertRaises(UnknownTopicOrPartitionError):
            admin.delete_topics(['py-admin'])

    def test_configurations_are_described_and_altered(self):
        admin = self.admin
        admin.create_topics([NewTopic('py-conf', 1, 1)])
        resource = ConfigResource(ConfigResourceType.TOPIC, 'py-conf', configs={'retention.ms': '777'})
        admin.alter_configs([resource])
        answer = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, 'py-conf')])[0]
        values = {entry[0]: entry[1] for entry in answer.resources[0][4]}
        self.assertEqual(values['retention.ms'], '777')
        self.assertEqual(values['cleanup.policy'], 'delete')

    def test_twelve_partitions(self):
        self.admin.create_topics([NewTopic('py-twelve', 12, 1)])
        self.produce('py-twelve', [{'key': b'%d' % i, 'value': b'%d' % i} for i in range(2000)], linger_ms=20)
        got = self.consume('py-twelve', 2000, partitions=12)
        self.assertEqual(sorted(int(r.value) for r in got), list(range(2000)))
        self.assertEqual(len({r.partition for r in got}), 12)

    def test_log_append_time_shows_everywhere(self):
        self.admin.create_topics([NewTopic('py-append', 1, 1,
                                           topic_configs={'message.timestamp.type': 'LogAppendTime'})])
        sent = self.produce('py-append', [{'value': b'x', 'timestamp_ms': 1000}])
        got = self.consume('py-append', 1)[0]
        self.assertGreater(sent[0].timestamp, 1_700_000_000_000)
        self.assertEqual(got.timestamp, sent[0].timestamp)
        self.assertEqual(got.timestamp_type, 1)

    def test_the_oldest_versions_still_work(self):
        for version in ((0, 10, 0), (0, 10, 2)):
            with self.subTest(version=version):
                topic = 'py-old-%d%d%d' % version
                self.produce(topic, [{'value': b'%d' % i} for i in range(50)], api_version=version,
                             compression_type='gzip')
                got = self.consume(topic, 50, api_version=version)
                self.assertEqual([r.value for r in got], [b'%d' % i for i in range(50)])
                # What old clients wrote, new ones read, and the other way round.
                self.assertEqual(len(self.consume(topic, 50)), 50)
                self.produce(topic, [{'key': b'k', 'value': b'new', 'headers': [('h', b'1')]}])
                self.assertEqual(self.consume(topic, 51, api_version=version)[50].value, b'new')


if __name__ == '__main__':
    unittest.main(verbosity=2)
