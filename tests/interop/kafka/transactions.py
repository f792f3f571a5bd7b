"""Transactions: Kafka's own clients and tools on the libmq broker, libmq's on a real Apache Kafka."""
import os
import shutil
import subprocess
import tempfile
import unittest

from server import Kafka, java
from broker import MQ, Broker, kcat

PERF = 'org.apache.kafka.tools.ProducerPerformance'
TRANSACTIONS = 'org.apache.kafka.tools.TransactionsCommand'
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


class TransactionsOnKafka(unittest.TestCase):
    def test_libmq_s_clients_read_transform_and_write_exactly_once(self):
        folder = tempfile.mkdtemp(prefix='mq-kafka-')
        kafka = Kafka(folder, num_partitions=2, transaction_state_log_replication_factor=1,
                      transaction_state_log_min_isr=1, transaction_state_log_num_partitions=1,
                      group_initial_rebalance_delay_ms=0).start()
        try:
            lines = [b'line %d' % i for i in range(2000)]
            kcat('-b', kafka.address, '-P', '-t', 'source', stdin=b'\n'.join(lines) + b'\n')
            for _ in range(2):
                process = subprocess.Popen([EXAMPLE, kafka.address, 'source', 'sink'], stdout=subprocess.PIPE)
                process.stdout.readline()
                process.kill()
                process.wait()
                process.stdout.close()
            subprocess.run([EXAMPLE, kafka.address, 'source', 'sink'], check=True, timeout=180,
                           stdout=subprocess.DEVNULL)
            self.assertEqual(sorted(committed(kafka.address, 'sink')), sorted(line.upper() for line in lines))
            listed = subprocess.run([MQ, 'transactions', 'list', '--bootstrap-server', kafka.address],
                                    capture_output=True, text=True, check=True, timeout=60).stdout
            self.assertRegex(listed, r'exactly-once-1\s+1\s+\d+\s+CompleteCommit')
        finally:
            kafka.kill()
            shutil.rmtree(folder, ignore_errors=True)
