"""`mq console-producer` and `mq producer-perf-test` into a real server, read back by kcat (librdkafka)."""
import json
import os
import re
import subprocess
import tempfile
import unittest

from broker import DEADLINE, MQ, Broker, kcat


class Producer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker({'num.partitions': '1'}).start()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def produce(self, topic, data, *args, check=True):
        # A file, so that the progress line is written too.
        with tempfile.TemporaryFile() as f:
            f.write(data)
            f.seek(0)
            r = subprocess.run([MQ, 'console-producer', '--bootstrap-server', self.broker.address, '--topic', topic,
                                *args], stdin=f, capture_output=True, timeout=2 * DEADLINE)
        if check:
            self.assertEqual(r.returncode, 0, r.stderr.decode())
            self.assertEqual(r.stdout, b'')
        return r

    def records(self, topic):
        out = kcat('-b', self.broker.address, '-C', '-t', topic, '-e', '-q', '-o', 'beginning', '-J',
                   '-X', 'check.crcs=true')
        return [json.loads(line) for line in out.splitlines()]

    def test_lines_come_back_in_order_with_every_codec(self):
        lines = ['line %d of the file' % i for i in range(5000)]
        for codec in ('none', 'gzip', 'snappy', 'lz4', 'zstd'):
            with self.subTest(codec=codec):
                topic = 'codec-' + codec
                r = self.produce(topic, ('\n'.join(lines) + '\n').encode(), '--compression-codec', codec)
                self.assertRegex(r.stderr.decode(), r'100 %  5000 records')
                self.assertEqual([m['payload'] for m in self.records(topic)], lines)

    def test_compression_reaches_the_log(self):
        lines = b'the same line again and again\n' * 20000
        for codec in ('gzip', 'snappy', 'lz4', 'zstd'):
            with self.subTest(codec=codec):
                topic = 'packed-' + codec
                self.produce(topic, lines, '--compression-codec', codec)
                log = os.path.join(self.broker.dir, 'data', topic + '-0', '0' * 20 + '.log')
                self.assertLess(os.path.getsize(log), len(lines) // 4)

    def test_keys_headers_and_nulls(self):
        self.produce('fields', b'h1:x,h2:NULL|k1=v1\nNULL|k2=NULL\n', '--property', 'parse.key=true',
                     '--property', 'key.separator==', '--property', 'parse.headers=true',
                     '--property', 'headers.delimiter=|', '--property', 'null.marker=NULL')
        records = self.records('fields')
        self.assertEqual([(r['key'], r['payload']) for r in records], [('k1', 'v1'), ('k2', None)])
        self.assertEqual(records[0]['headers'], ['h1', 'x', 'h2', None])
        self.assertNotIn('headers', records[1])

    def test_a_line_without_its_key_is_an_error_that_names_it(self):
        r = self.produce('no-key', b'a\tb\nno separator\n', '--property', 'parse.key=true', check=False)
        self.assertEqual(r.returncode, 1)
        self.assertIn('line 2', r.stderr.decode())
        self.produce('no-key-2', b'a\tb\nno separator\n', '--property', 'parse.key=true',
                     '--property', 'ignore.error=true')
        self.assertEqual([(m['key'], m['payload']) for m in self.records('no-key-2')],
                         [('a', 'b'), (None, 'no separator')])

    def test_acks_and_sync(self):
        for acks in ('0', '1', 'all'):
            with self.subTest(acks=acks):
                self.produce('acks-' + acks, b'a\nb\n', '--request-required-acks', acks, '--sync')
                self.assertEqual([m['payload'] for m in self.records('acks-' + acks)], ['a', 'b'])

    def test_keys_go_where_the_java_client_sends_them(self):
        self.broker.mq('topics', '--create', '--topic', 'twelve', '--partitions', '12')
        self.broker.mq('topics', '--create', '--topic', 'twelve-kcat', '--partitions', '12')
        lines = b''.join(b'key %d\tvalue\n' % i for i in range(500))
        self.produce('twelve', lines, '--property', 'parse.key=true')
        kcat('-b', self.broker.address, '-P', '-t', 'twelve-kcat', '-K\t', '-X', 'partitioner=murmur2', stdin=lines)
        where = [{m['key']: m['partition'] for m in self.records(t)} for t in ('twelve', 'twelve-kcat')]
        self.assertEqual(len(where[0]), 500)
        self.assertEqual(where[0], where[1])

    def test_a_broker_that_is_not_there_is_named(self):
        r = subprocess.run([MQ, 'console-producer', '--bootstrap-server', '127.0.0.1:1', '--topic', 't',
                            '--max-block-ms', '300'], input=b'x\n', capture_output=True, timeout=DEADLINE)
        self.assertEqual(r.returncode, 1)
        self.assertRegex(r.stderr.decode(), r'127\.0\.0\.1:1.*refused')

    def test_perf_test_prints_kafkas_line(self):
        r = subprocess.run([MQ, 'producer-perf-test', '--topic', 'perf', '--num-records', '20000', '--record-size',
                            '100', '--throughput', '-1', '--producer-props',
                            'bootstrap.servers=' + self.broker.address, 'acks=1', 'linger.ms=5'],
                           capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertRegex(r.stdout.splitlines()[-1],
                         re.compile(r'^20000 records sent, [\d.]+ records/sec \([\d.]+ MB/sec\), [\d.]+ ms avg latency, '
                                    r'[\d.]+ ms max latency, \d+ ms 50th, \d+ ms 95th, \d+ ms 99th, \d+ ms 99\.9th\.$'))
        self.assertEqual(len(self.records('perf')), 20000)


if __name__ == '__main__':
    unittest.main(verbosity=2)
