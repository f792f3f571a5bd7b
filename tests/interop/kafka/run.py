"""Apache Kafka's own tools against a real mq server, on the files it writes, and
the other way round; libmq's producer into a real Kafka, its consumer in groups there.
`make check-kafka`; says clearly when it cannot run."""
import faulthandler
import os
import random
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from server import WORK, Kafka, fetch_jars, java  # noqa: E402
from broker import PROGRAM_DEADLINE, Broker, kcat  # noqa: E402
from groups_in_kafka import GroupsInKafka  # noqa: E402, F401
from groups_on_libmq import GroupsOnLibmq  # noqa: E402, F401
from produce_into_kafka import ProduceIntoKafka  # noqa: E402, F401
from transactions import JavaTransactionsOnLibmq, TransactionsOnKafka, TransactionsOnLibmq  # noqa: E402, F401

LINES = [b'line %d of the file' % i for i in range(20000)]
CODECS = ('none', 'gzip', 'snappy', 'lz4', 'zstd')
TOPICS = 'org.apache.kafka.tools.TopicCommand'
PRODUCE = 'kafka.tools.ConsoleProducer'
CONSUME = 'org.apache.kafka.tools.consumer.ConsoleConsumer'
DUMP = 'kafka.tools.DumpLogSegments'
CONFIGS = 'kafka.admin.ConfigCommand'


# Five transactions, of which the second and the fourth are aborted.
TRANSACT = '''
import sys
from confluent_kafka import Producer
producer = Producer({'bootstrap.servers': sys.argv[1], 'transactional.id': sys.argv[2]})
producer.init_transactions(30)
for i in range(5):
    producer.begin_transaction()
    producer.produce(sys.argv[2], b'%d' % i, partition=0)
    producer.flush(30)
    producer.abort_transaction(30) if i % 2 else producer.commit_transaction(30)
'''


def transact(test, address, name):
    """By Debian's Python, which has librdkafka's module."""
    python = '/usr/bin/python3'
    if subprocess.run([python, '-c', 'import confluent_kafka'], stderr=subprocess.DEVNULL).returncode != 0:
        test.skipTest(python + ' has no module confluent_kafka')
    subprocess.run([python, '-c', TRANSACT, address, name], check=True, timeout=120)


class ToolsOnLibmq(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker({'log.segment.bytes': '200000', 'log.index.interval.bytes': '1000'}).start()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def produce(self, topic, *args):
        java(PRODUCE, '--bootstrap-server', self.broker.address, '--topic', topic, *args,
             stdin=b'\n'.join(LINES) + b'\n')

    def test_topics(self):
        b = ('--bootstrap-server', self.broker.address)
        self.assertIn('Created topic', java(TOPICS, *b, '--create', '--topic', 'jtool', '--partitions', '3'))
        java(TOPICS, *b, '--alter', '--topic', 'jtool', '--partitions', '4')
        self.assertRegex(java(TOPICS, *b, '--describe', '--topic', 'jtool'), r'PartitionCount: 4\s')
        java(CONFIGS, *b, '--alter', '--topic', 'jtool', '--add-config', 'retention.ms=99999')
        self.assertIn('retention.ms=99999', java(CONFIGS, *b, '--describe', '--topic', 'jtool'))
        java(TOPICS, *b, '--delete', '--topic', 'jtool')
        self.assertNotIn('jtool', java(TOPICS, *b, '--list').split())

    def test_console_producer_and_consumer_with_every_codec(self):
        for codec in CODECS:
            with self.subTest(codec=codec):
                topic = 'java-' + codec
                self.produce(topic, '--compression-codec', codec)
                out = java(CONSUME, '--bootstrap-server', self.broker.address, '--topic', topic, '--partition', '0',
                           '--offset', 'earliest', '--max-messages', str(len(LINES)), '--timeout-ms', '60000')
                self.assertEqual(out.encode().splitlines(), LINES)

    def test_dump_log_reads_what_the_broker_wrote(self):
        self.produce('java-dump')
        self.broker.stop()
        folder = os.path.join(self.broker.dir, 'data', 'java-dump-0')
        records = 0
        kinds = set()
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if name.endswith('.log'):
                out = java(DUMP, '--deep-iteration', '--files', path)
                self.assertNotRegex(out, r'isvalid: false|Found')
                records += len(re.findall(r'^\| offset: ', out, re.M))
            elif name.endswith(('.index', '.timeindex', '.txnindex', '.snapshot')):
                out = java(DUMP, '--files', path)
                self.assertNotRegex(out, r'Mismatches|Found|out of order')
            kinds.add(name.rsplit('.', 1)[-1])
        self.broker.start()
        self.assertEqual(records, len(LINES))
        self.assertLessEqual({'log', 'index', 'timeindex', 'snapshot'}, kinds)


    def test_dump_log_agrees_about_transactions(self):
        """Markers, aborted transactions, producers: what Kafka's tool makes of the files of a broker
        that has had transactions, and what mq dump-log makes of them."""
        transact(self, self.broker.address, 'java-txn')
        self.broker.stop()
        data = os.path.join(self.broker.dir, 'data')
        folder = os.path.join(data, 'java-txn-0')
        files = {name.rsplit('.', 1)[-1]: os.path.join(folder, name) for name in sorted(os.listdir(folder))}
        marker = r'endTxnMarker: (COMMIT|ABORT) coordinatorEpoch: (\d+)'
        theirs = java(DUMP, '--deep-iteration', '--files', files['log'])
        ours = self.broker.mq_offline('dump-log', '--deep-iteration', '--files', files['log'])
        self.assertEqual([m[0] for m in re.findall(marker, theirs)], ['COMMIT', 'ABORT'] * 2 + ['COMMIT'])
        self.assertEqual(re.findall(marker, ours), re.findall(marker, theirs))
        aborted = r'producerId: ?(\d+),? firstOffset: ?(\d+),? lastOffset: ?(\d+),? lastStableOffset: ?(\d+)'
        theirs = java(DUMP, '--files', files['txnindex'])
        ours = self.broker.mq_offline('dump-log', '--files', files['txnindex'])
        self.assertEqual(len(re.findall(aborted, theirs)), 2)
        self.assertEqual(re.findall(aborted, ours), re.findall(aborted, theirs))
        state = r'producerId: (\d+) producerEpoch: (\d+) coordinatorEpoch: (-?\d+) currentTxnFirstOffset: (\S+)'
        theirs = java(DUMP, '--files', files['snapshot'])
        ours = self.broker.mq_offline('dump-log', '--files', files['snapshot'])
        self.assertEqual(len(re.findall(state, theirs)), 1)
        self.assertEqual(re.findall(state, ours), re.findall(state, theirs))
        decoded = ''
        for name in sorted(os.listdir(data)):
            log = os.path.join(data, name, '00000000000000000000.log')
            if name.startswith('__transaction_state-') and os.path.exists(log):
                decoded += java(DUMP, '--transaction-log-decoder', '--deep-iteration', '--files', log)
        self.broker.start()
        self.assertRegex(decoded, r'transactionalId=java-txn.*state=CompleteCommit')


class Assignors(unittest.TestCase):
    def test_assignments_equal_those_of_the_java_client(self):
        """With another seed each time; it is printed."""
        seed = str(random.randrange(1 << 32))
        print('seed', seed)
        groups = os.path.join(WORK, 'assignors.txt')
        with open(groups, 'w') as f:
            f.write(java(os.path.join(HERE, 'Assignors.java'), seed, '5000'))
        env = dict(os.environ, ASSIGNOR_CASES=groups, CK_DEFAULT_TIMEOUT='120')
        subprocess.run([os.path.join(os.path.dirname(WORK), 'tests', 'consumer', 'test_assignors')], env=env, check=True)


class LibmqOnKafkasFiles(unittest.TestCase):
    """A data directory that Apache Kafka wrote opens in mq server-start."""

    def test_what_kafka_wrote_is_served(self):
        # A directory of its own for the broker, which starts later on Kafka's data.
        broker = Broker({'log.segment.bytes': '200000'})
        self.addCleanup(broker.close)
        kafka = Kafka(broker.dir)
        self.addCleanup(lambda: kafka.process.kill())
        kafka.start()
        address = kafka.address
        for codec in CODECS:
            kcat('-b', address, '-P', '-t', 'kafka-' + codec, '-z', codec, '-X', 'batch.size=50000',
                 stdin=b'\n'.join(LINES) + b'\n')
        kafka.stop()
        broker.conf['broker.id'] = '1'
        broker.start()
        for codec in CODECS:
            with self.subTest(codec=codec):
                out = kcat('-b', broker.address, '-C', '-t', 'kafka-' + codec, '-o', 'beginning', '-e', '-q')
                self.assertEqual(out.splitlines(), LINES)
                kcat('-b', broker.address, '-P', '-t', 'kafka-' + codec, stdin=b'one more\n')
                out = kcat('-b', broker.address, '-C', '-t', 'kafka-' + codec, '-o', '-1', '-e', '-q')
                self.assertEqual(out, b'one more\n')


if __name__ == '__main__':
    faulthandler.dump_traceback_later(4 * PROGRAM_DEADLINE, exit=True)
    fetch_jars()
    unittest.main(verbosity=2)
