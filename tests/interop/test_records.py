"""The producer's records, every field of them and with every codec, read back from a real server by kcat
(librdkafka) and by kafka-python."""
import json
import time
import unittest

from broker import Broker, kcat, need
from produced import CODECS, PARTITIONS, partitions, produce

kafka = need('kafka')

N = 1000


def by_kcat(address, topic):
    out = kcat('-b', address, '-C', '-t', topic, '-e', '-q', '-o', 'beginning', '-J', '-X', 'check.crcs=true')
    found = {p: [] for p in range(PARTITIONS)}
    types = set()
    for line in out.splitlines():
        m = json.loads(line)
        headers = m.get('headers', [])
        found[m['partition']].append((m['ts'], m['key'], m['payload'], list(zip(headers[::2], headers[1::2]))))
        types.add(m['tstype'])
    return found, types


def by_kafka_python(address, topic, n):
    def text(b):
        return None if b is None else b.decode()

    consumer = kafka.KafkaConsumer(bootstrap_servers=address, consumer_timeout_ms=30000, check_crcs=True)
    consumer.assign([kafka.TopicPartition(topic, p) for p in range(PARTITIONS)])
    consumer.seek_to_beginning()
    found = {p: [] for p in range(PARTITIONS)}
    for _ in range(n):
        m = next(consumer)
        found[m.partition].append((m.timestamp, text(m.key), text(m.value), [(k, text(v)) for k, v in m.headers]))
    consumer.close()
    return found


class Records(unittest.TestCase):
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.broker = Broker({'num.partitions': str(PARTITIONS), 'log.retention.ms': '-1'}).start()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def test_every_field_comes_back_with_every_codec(self):
        for codec in CODECS:
            with self.subTest(codec=codec):
                topic = 'fields-' + codec
                line = produce(self.broker.address, topic, N, 'compression.type=' + codec, 'linger.ms=5')
                self.assertTrue(line.startswith('delivered %d failed 0' % N), line)
                found, types = by_kcat(self.broker.address, topic)
                self.assertEqual(types, {'create'})
                self.assertEqual(found, partitions(N))
                self.assertEqual(by_kafka_python(self.broker.address, topic, N), partitions(N))

    def test_a_topic_may_have_times_of_its_own(self):
        for codec in ('none', 'lz4'):
            with self.subTest(codec=codec):
                topic = 'appended-' + codec
                self.broker.mq('topics', '--create', '--topic', topic, '--partitions', str(PARTITIONS), '--config',
                               'message.timestamp.type=LogAppendTime')
                before = int(time.time() * 1000)
                produce(self.broker.address, topic, 100, 'compression.type=' + codec)
                after = int(time.time() * 1000)
                found, types = by_kcat(self.broker.address, topic)
                self.assertEqual(types, {'logappend'})
                times = [r[0] for records in found.values() for r in records]
                self.assertEqual(len(times), 100)
                self.assertTrue(all(before <= t <= after for t in times), (before, after, times))

    def test_without_idempotence_and_with_every_acks(self):
        for acks in ('0', '1', 'all'):
            with self.subTest(acks=acks):
                topic = 'acks-' + acks
                produce(self.broker.address, topic, N, 'acks=' + acks, 'enable.idempotence=false',
                        'max.in.flight.requests.per.connection=1')
                self.assertEqual(by_kafka_python(self.broker.address, topic, N), partitions(N))


if __name__ == '__main__':
    unittest.main(verbosity=2)
