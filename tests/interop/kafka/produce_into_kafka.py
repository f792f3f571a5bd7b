"""libmq's producer into a real Apache Kafka, read back with Kafka's own consumer."""
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from server import Kafka, java
from broker import kcat, until
from produced import CODECS, PARTITIONS, PRODUCE, partitions, produce

CONSUME = 'org.apache.kafka.tools.consumer.ConsoleConsumer'
TOPICS = 'org.apache.kafka.tools.TopicCommand'
N = 1000


class ProduceIntoKafka(unittest.TestCase):
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix='mq-kafka-')
        # Large segments: the snapshot at each roll knows only the last batch of a producer, so that after a kill
        # Kafka does not know again those before it that were not acknowledged.
        cls.kafka = Kafka(cls.dir, num_partitions=PARTITIONS, log_retention_ms=-1,
                          log_segment_bytes=100000000).start()

    @classmethod
    def tearDownClass(cls):
        cls.kafka.kill()
        shutil.rmtree(cls.dir, ignore_errors=True)

    def consume(self, topic, n):
        """By partition: (kind of time, time, key, value, headers), all as Kafka's consumer prints them."""
        out = java(CONSUME, '--bootstrap-server', self.kafka.address, '--topic', topic, '--from-beginning',
                   '--max-messages', str(n), '--timeout-ms', '60000', '--property', 'print.timestamp=true',
                   '--property', 'print.partition=true', '--property', 'print.headers=true',
                   '--property', 'print.key=true')
        found = {p: [] for p in range(PARTITIONS)}
        for line in out.splitlines():
            stamp, partition, headers, key, value = line.split('\t')
            kind, t = stamp.split(':')
            found[int(partition.split(':')[1])].append((kind, int(t), key, value, headers))
        return found

    def at_least(self, wanted, topic):
        """How many records Kafka has, if it has so many; it may not have the topic yet."""
        asked = [a for p in range(PARTITIONS) for a in ('-t', '%s:%d:-1' % (topic, p))]
        r = kcat('-b', self.kafka.address, '-Q', *asked, check=False)
        n = sum(int(n) for n in re.findall(rb'offset (\d+)', r.stdout))
        return n if r.returncode == 0 and n >= wanted else None

    def printed(self, n, *base):
        def text(s):
            return 'null' if s is None else s

        return {p: [('CreateTime', t, text(k), text(v),
                     ','.join('%s:%s' % (name, text(x)) for name, x in h) or 'NO_HEADERS') for t, k, v, h in records]
                for p, records in partitions(n, *base).items()}

    def test_every_field_comes_back_with_every_codec(self):
        for codec in CODECS:
            with self.subTest(codec=codec):
                line = produce(self.kafka.address, 'fields-' + codec, N, 'compression.type=' + codec, 'linger.ms=5',
                               'enable.idempotence=true')
                self.assertTrue(line.startswith('delivered %d failed 0' % N), line)
                self.assertEqual(self.consume('fields-' + codec, N), self.printed(N))

    def test_times_of_the_topic(self):
        java(TOPICS, '--bootstrap-server', self.kafka.address, '--create', '--topic', 'appended', '--partitions',
             str(PARTITIONS), '--config', 'message.timestamp.type=LogAppendTime')
        before = int(time.time() * 1000)
        produce(self.kafka.address, 'appended', 100)
        after = int(time.time() * 1000)
        records = [r for p in self.consume('appended', 100).values() for r in p]
        self.assertEqual({r[0] for r in records}, {'LogAppendTime'})
        self.assertTrue(all(before <= r[1] <= after for r in records))

    def test_a_large_batch_is_split(self):
        java(TOPICS, '--bootstrap-server', self.kafka.address, '--create', '--topic', 'small', '--partitions',
             str(PARTITIONS), '--config', 'max.message.bytes=2000')
        produce(self.kafka.address, 'small', N, 'batch.size=100000', 'linger.ms=50')
        self.assertEqual(self.consume('small', N), self.printed(N))

    def test_kills_under_load_lose_and_repeat_nothing(self):
        # Times of today: Kafka forgets a producer whose records are a day old when it starts.
        n, kills, base = 40000, 3, int(time.time() * 1000)
        producer = subprocess.Popen(
            [PRODUCE, 'killed', '0', str(n), 'bootstrap.servers=' + self.kafka.address, 'batch.size=4000', 'pace=20',
             'time=%d' % base,
             'buffer.memory=300000', 'max.block.ms=120000', 'delivery.timeout.ms=240000', 'request.timeout.ms=30000',
             'reconnect.backoff.max.ms=200', 'retry.backoff.max.ms=200'],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(producer.kill)
        got = 0
        for _ in range(kills):
            wanted = got + 2000
            got = until('Kafka has %d records' % wanted, lambda: self.at_least(wanted, 'killed'))
            self.assertIsNone(producer.poll(), 'it ended before the kill')
            self.kafka.kill()
            self.kafka.start()
        out, err = producer.communicate(timeout=240)
        self.assertEqual(producer.returncode, 0, err)
        cut_off, bumps = map(int, re.search(r'cut-off (\d+) epoch-bumps (\d+)', out).groups())
        print('%d kills of Kafka cut %d batches off, %d epoch bumps' % (kills, cut_off, bumps))
        self.assertGreater(cut_off, 0)
        self.assertEqual(self.consume('killed', n), self.printed(n, base))
