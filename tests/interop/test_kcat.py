"""kcat (librdkafka) produces into the broker and consumes from it, without a group."""
import json
import os
import time
import unittest

from broker import Broker, kcat


class Kcat(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker({'num.partitions': '1'}).start()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def consume(self, topic, *args):
        return kcat('-b', self.broker.address, '-C', '-t', topic, '-e', '-q', '-o', 'beginning', *args)

    def records(self, topic, *args):
        return [json.loads(line) for line in self.consume(topic, '-J', *args).splitlines()]

    def produce(self, topic, data, *args):
        kcat('-b', self.broker.address, '-P', '-t', topic, *args, stdin=data)

    def test_lines_come_back_in_order_with_every_codec(self):
        lines = b''.join(b'line %d of the file\n' % i for i in range(5000))
        for codec in ('none', 'gzip', 'snappy', 'lz4', 'zstd'):
            with self.subTest(codec=codec):
                topic = 'codec-' + codec
                self.produce(topic, lines, '-z', codec)
                self.assertEqual(self.consume(topic), lines)

    def test_compression_really_reaches_the_log(self):
        # librdkafka silently sends plain batches when it dislikes our versions.
        lines = b'the same line again and again\n' * 20000
        for codec in ('gzip', 'snappy', 'lz4', 'zstd'):
            with self.subTest(codec=codec):
                topic = 'packed-' + codec
                self.produce(topic, lines, '-z', codec)
                log = os.path.join(self.broker.dir, 'data', topic + '-0', '0' * 20 + '.log')
                self.assertLess(os.path.getsize(log), len(lines) // 4)
                self.assertEqual(self.consume(topic), lines)

    def test_keys_and_headers_come_back(self):
        self.produce('keyed', b'k1:v1\nk2:v2\n', '-K:', '-H', 'h1=x', '-H', 'h2=y')
        records = self.records('keyed')
        self.assertEqual([(r['key'], r['payload']) for r in records], [('k1', 'v1'), ('k2', 'v2')])
        self.assertEqual(records[0]['headers'], ['h1', 'x', 'h2', 'y'])

    def test_null_values_stay_null(self):
        self.produce('nulls', b'k1:\nk2:v2\n', '-K:', '-Z')
        records = self.records('nulls')
        self.assertIsNone(records[0]['payload'])
        self.assertEqual(records[1]['payload'], 'v2')

    def test_a_record_of_900_kilobytes_comes_back(self):
        path = os.path.join(self.broker.dir, 'big')
        data = os.urandom(450_000).hex().encode()
        with open(path, 'wb') as f:
            f.write(data)
        kcat('-b', self.broker.address, '-P', '-t', 'big', path)
        self.assertEqual(self.consume('big', '-D', ''), data)

    def test_offsets_are_found_by_time(self):
        self.produce('timed', b'first\n')
        middle = self.records('timed')[0]['ts'] + 1
        time_passed = False
        while not time_passed:
            time_passed = time.time() * 1000 > middle + 1
        self.produce('timed', b'second\n')
        out = kcat('-b', self.broker.address, '-C', '-t', 'timed', '-e', '-q', '-o', 's@%d' % middle)
        self.assertEqual(out, b'second\n')
        out = kcat('-b', self.broker.address, '-Q', '-t', 'timed:0:%d' % middle)
        self.assertEqual(out.split(), [b'timed', b'[0]', b'offset', b'1'])

    def test_the_last_records_are_read_by_negative_offset(self):
        self.produce('tail', b'a\nb\nc\n')
        out = kcat('-b', self.broker.address, '-C', '-t', 'tail', '-e', '-q', '-o', '-2')
        self.assertEqual(out, b'b\nc\n')

    def test_metadata_lists_broker_and_topics(self):
        self.produce('listed', b'x\n')
        out = json.loads(kcat('-b', self.broker.address, '-L', '-J'))
        self.assertEqual([b['name'] for b in out['brokers']], [self.broker.address])
        self.assertEqual(out['controllerid'], 0)
        self.assertIn('listed', [t['topic'] for t in out['topics']])

    def test_acks_0_1_and_all(self):
        for acks in ('0', '1', 'all'):
            with self.subTest(acks=acks):
                topic = 'acks-' + acks
                self.produce(topic, b'a\nb\n', '-X', 'acks=' + acks)
                # acks=0 says nothing back, so what arrived is what is asked for.
                out = kcat('-b', self.broker.address, '-C', '-t', topic, '-c', '2', '-q', '-o', 'beginning')
                self.assertEqual(out, b'a\nb\n')

    def test_twelve_partitions_hold_every_record_once(self):
        self.broker.mq('topics', '--create', '--topic', 'twelve', '--partitions', '12')
        lines = [b'%d:value %d' % (i, i) for i in range(6000)]
        self.produce('twelve', b'\n'.join(lines) + b'\n', '-K:')
        records = self.records('twelve')
        self.assertEqual(len({r['partition'] for r in records}), 12)
        self.assertEqual(sorted(int(r['key']) for r in records), list(range(6000)))
        for p in range(12):
            keys = [int(r['key']) for r in records if r['partition'] == p]
            self.assertEqual(keys, sorted(keys))


if __name__ == '__main__':
    unittest.main(verbosity=2)
