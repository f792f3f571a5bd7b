"""Apache Kafka's consumer and its tools for groups against a real mq server, and its decoder
on the records of __consumer_offsets."""
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import java  # noqa: E402
from broker import Broker, kcat  # noqa: E402

CONSUME = 'org.apache.kafka.tools.consumer.ConsoleConsumer'
GROUPS = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'
DUMP = 'kafka.tools.DumpLogSegments'


class GroupsOnLibmq(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker({'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '1'}).start()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def groups(self, *args):
        return java(GROUPS, '--bootstrap-server', self.broker.address, *args)

    def consume(self, n):
        return java(CONSUME, '--bootstrap-server', self.broker.address, '--topic', 'java-group', '--group', 'java',
                    '--from-beginning', '--max-messages', str(n), '--timeout-ms', '60000').split()

    def test_a_group_of_javas_console_consumer(self):
        kcat('-b', self.broker.address, '-P', '-t', 'java-group', '-p', '0', stdin=b'a\nb\nc\n')
        self.assertEqual(self.consume(3), ['a', 'b', 'c'])
        kcat('-b', self.broker.address, '-P', '-t', 'java-group', '-p', '0', stdin=b'd\n')
        self.assertEqual(self.consume(1), ['d'])
        self.assertIn('java', self.groups('--list').split())
        self.assertRegex(self.groups('--describe', '--group', 'java'), r'java\s+java-group\s+0\s+4\s+4\s+0\s')
        self.assertRegex(self.groups('--describe', '--group', 'java', '--state'), r'Empty')
        self.groups('--group', 'java', '--topic', 'java-group', '--reset-offsets', '--to-offset', '1', '--execute')
        self.assertRegex(self.groups('--describe', '--group', 'java'), r'java-group\s+0\s+1\s+4\s+3\s')
        self.broker.stop()
        log = os.path.join(self.broker.dir, 'data', '__consumer_offsets-0', '0' * 20 + '.log')
        out = java(DUMP, '--offsets-decoder', '--files', log)
        self.broker.start()
        self.assertNotRegex(out, r'isvalid: false|Found|Failed|UNKNOWN')
        self.assertRegex(out, r'"topic":"java-group","partition":0|java-group-0|partition=java-group-0')
        self.assertRegex(out, r'"protocolType":"consumer"|protocolType=consumer|"protocol":"range"')
        self.assertTrue(re.search(r'"offset":\s*4|offset=4', out))
        self.groups('--delete', '--group', 'java')
        self.assertNotIn('java', self.groups('--list').split())


if __name__ == '__main__':
    unittest.main()
