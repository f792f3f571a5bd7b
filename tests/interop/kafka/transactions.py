"""Transactions: Kafka's own clients and tools on the libmq broker, libmq's on a real Apache Kafka."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from server import HERE, JARS, JARS_4, Kafka, java, java_command
from broker import DEADLINE, MQ, Broker, Lines, kcat

PERF = 'org.apache.kafka.tools.ProducerPerformance'
TRANSACTIONS = 'org.apache.kafka.tools.TransactionsCommand'
TRANSACT = os.path.join(HERE, 'Transactions.java')
EXAMPLE = os.path.join(os.environ.get('builddir', '.'), 'examples', '10_exactly_once')


def committed(address, topic):
    return kcat('-b', address, '-C', '-t', topic, '-o', 'beginning', '-e', '-q',
                '-X', 'isolation.level=read_committed').splitlines()


class TransactionsOnLibmq(unittest.TestCase):
    def test_java_s_producer_commits_and_its_tool_tells_of_it(self):
        with Broker() as broker:
            java(PERF, '--topic', 'java-txn', '--num-records', '5000', '--record-size', '20', '--throughput', '-1',
                 '--transactional-id', 'java', '--transaction-duration-ms', '20',
                 '--producer-props', 'bootstrap.servers=' + broker.address)
            self.assertEqual(len(committed(broker.address, 'java-txn')), 5000)
            b = ('--bootstrap-server', broker.address)
            self.assertRegex(java(TRANSACTIONS, *b, 'list'), r'java\s+0\s+0\s+CompleteCommit')
            described = java(TRANSACTIONS, *b, 'describe', '--transactional-id', 'java')
            self.assertRegex(described, r'\s0\s+java\s+0\s+0\s+CompleteCommit\s+60000\s')
            self.assertRegex(java(TRANSACTIONS, *b, 'describe-producers', '--topic', 'java-txn', '--partition', '0'),
                             r'\s0\s+0\s+0\s+4999\s+\d+\s+None')


def epoch(address, name):
    """The producer's epoch, as the coordinator has it."""
    described = subprocess.run([MQ, 'transactions', 'describe', '--bootstrap-server', address,
                                '--transactional-id', name], capture_output=True, text=True, check=True,
                               timeout=60).stdout
    return int(re.search(r'\s%s\s+\d+\s+(\d+)\s' % re.escape(name), described).group(1))


class JavaTransactionsOnLibmq(unittest.TestCase):
    """The Java client of Kafka 4, in transaction version 2, and the same one told to use version 1; that of
    3.9, which knows no other."""

    def check_run(self, broker, topic, n):
        """What a run of Transactions.java has to leave behind."""
        partitions = [[b'%d-%d' % (txn, i) for txn in range(n) if txn % 3 != 2 for i in range(p, 5, 2)]
                      for p in range(2)]
        for p in range(2):
            found = kcat('-b', broker.address, '-C', '-t', topic, '-p', str(p), '-o', 'beginning', '-e', '-q',
                         '-X', 'isolation.level=read_committed').splitlines()
            self.assertEqual(found, partitions[p])
        self.assertRegex(broker.mq('consumer-groups', '--describe', '--group', topic),
                         r'%s\s+0\s+%d\s' % (topic, n - 2 if n % 3 == 0 else n - 1))

    def run_alone(self, topic, jars, conf, n=40):
        with Broker(dict(conf, **{'num.partitions': '2', 'group.initial.rebalance.delay.ms': '0'})) as broker:
            out = java(TRANSACT, 'run', broker.address, topic, topic, str(n), jars=jars)
            self.assertEqual(out.splitlines(), ['done %d' % txn for txn in range(n)])
            self.check_run(broker, topic, n)
            out = java(TRANSACT, 'fence', broker.address, topic + '-fence', topic + '-fence', jars=jars)
            self.assertEqual(out, 'fenced\n')
            self.assertEqual(committed(broker.address, topic + '-fence'), [b'heir'])
            return epoch(broker.address, topic)

    def test_version_2(self):
        self.assertEqual(self.run_alone('java-4', JARS_4, {}), 40)

    def test_version_1(self):
        self.assertEqual(self.run_alone('java-41', JARS_4, {'mq.transaction.version': '1'}), 0)

    def test_java_3_9(self):
        self.assertEqual(self.run_alone('java-39', JARS, {}), 0)

    def lines_of_a_run(self, broker, topic, n):
        """As they come, while the broker may be stopped and killed. In the end it has to have succeeded."""
        process = subprocess.Popen(java_command(TRANSACT, 'run', broker.address, topic, topic, str(n), jars=JARS_4),
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        lines = Lines(process.stdout)
        while (line := lines.next('a transaction of the Java client', 3 * DEADLINE)) is not None:
            yield line
        self.assertEqual(process.wait(DEADLINE), 0)
        lines.close()

    def test_version_2_while_the_broker_is_killed(self):
        broker = Broker({'num.partitions': '2', 'group.initial.rebalance.delay.ms': '0'}).start()
        self.addCleanup(broker.close)
        kills = 0
        lines = []
        for line in self.lines_of_a_run(broker, 'killed', 400):
            lines.append(line.strip())
            if len(lines) % 30 == 0:
                broker.kill()
                broker.start()
                kills += 1
        again = [line for line in lines if not line.startswith('done')]
        print('%d kills, %d transactions made again' % (kills, len(again)))
        self.assertGreater(kills, 10)
        self.check_run(broker, 'killed', 400)

    def test_a_client_follows_the_broker_s_version(self):
        broker = Broker({'num.partitions': '2', 'group.initial.rebalance.delay.ms': '0'}).start()
        self.addCleanup(broker.close)
        for n, _ in enumerate(self.lines_of_a_run(broker, 'follows', 120), 1):
            if n in (30, 60, 90):
                broker.stop()
                broker.conf['mq.transaction.version'] = '2' if n == 60 else '1'
                broker.start()
        self.check_run(broker, 'follows', 120)
        self.assertGreater(epoch(broker.address, 'follows'), 40)
        self.assertLess(epoch(broker.address, 'follows'), 80)


class TransactionsOnKafka(unittest.TestCase):
    """The last of these has transaction version 2, which libmq's producer then uses."""
    def transform_exactly_once(self, jars):
        folder = tempfile.mkdtemp(prefix='mq-kafka-')
        kafka = Kafka(folder, jars=jars, num_partitions=2, transaction_state_log_replication_factor=1,
                      transaction_state_log_min_isr=1, transaction_state_log_num_partitions=1,
                      group_initial_rebalance_delay_ms=0, log_segment_bytes=1048576).start()
        try:
            lines = [b'line %d' % i for i in range(2000)]
            kcat('-b', kafka.address, '-P', '-t', 'source', stdin=b'\n'.join(lines) + b'\n')
            for _ in range(2):
                process = subprocess.Popen([EXAMPLE, kafka.address, 'source', 'sink'], stdout=subprocess.PIPE)
                out = Lines(process.stdout)
                self.assertIsNotNone(out.next('a transaction of the example'))
                process.kill()
                process.wait(DEADLINE)
                out.close()
            subprocess.run([EXAMPLE, kafka.address, 'source', 'sink'], check=True, timeout=180,
                           stdout=subprocess.DEVNULL)
            self.assertEqual(sorted(committed(kafka.address, 'sink')), sorted(line.upper() for line in lines))
            listed = subprocess.run([MQ, 'transactions', 'list', '--bootstrap-server', kafka.address],
                                    capture_output=True, text=True, check=True, timeout=60).stdout
            self.assertRegex(listed, r'exactly-once-1\s+1\s+\d+\s+CompleteCommit')
            return epoch(kafka.address, 'exactly-once-1')
        finally:
            kafka.kill()
            shutil.rmtree(folder, ignore_errors=True)

    def test_kafka_3_9(self):
        self.assertLessEqual(self.transform_exactly_once(JARS), 6)  # two for each that was killed

    def test_kafka_4_0(self):
        self.assertGreater(self.transform_exactly_once(JARS_4), 6)
