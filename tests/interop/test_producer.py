"""`mq console-producer` and `mq producer-perf-test` into a real server, read back by kcat (librdkafka)."""
import json
import os
import re
import subprocess
import tempfile
import threading
import unittest

from broker import DEADLINE, MQ, Broker, kcat, until


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

    def test_reader_config_and_codec_without_name(self):
        conf = os.path.join(self.broker.dir, 'reader.properties')
        with open(conf, 'w') as f:
            f.write('# how lines are read\nparse.key=TRUE\nkey.separator=:\n')
        self.produce('reader', b'k:v\n', '--reader-config', conf, '--line-reader',
                     'org.apache.kafka.tools.LineMessageReader', '--compression-codec')
        self.assertEqual([(m['key'], m['payload']) for m in self.records('reader')], [('k', 'v')])
        self.produce('reader-2', b'k:l/v\n', '--reader-config', conf, '--property', 'key.separator=/')
        self.assertEqual([(m['key'], m['payload']) for m in self.records('reader-2')], [('k:l', 'v')])

    def test_wrong_flags_are_told(self):
        for args, why in ((('--no-such-flag',), 'no option --no-such-flag'),
                          (('--porperty', 'x=y'), 'did you mean --property'),
                          (('--property', 'parse.keys=true'), 'no reader property parse.keys'),
                          (('--property', 'novalue'), 'KEY=VALUE'),
                          (('--line-reader', 'com.example.Mine'), 'LineMessageReader only'),
                          (('--property', 'headers.separator=:'), 'may not be equal'),
                          (('--property', 'null.marker=\t'), 'may not be equal')):
            with self.subTest(args=args):
                r = self.produce('wrong', b'x\n', *args, check=False)
                self.assertEqual(r.returncode, 2)
                self.assertIn(why, r.stderr.decode())
        r = self.produce('wrong', b'x\n', '--producer-property', 'linger.m=3', check=False)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn('linger.ms', r.stderr.decode())

    def test_help_has_an_example(self):
        for command in ('console-producer', 'producer-perf-test'):
            out = subprocess.run([MQ, command, '--help'], capture_output=True, text=True, check=True).stdout
            self.assertRegex(out, r'Example:\n  .*mq %s --topic' % command)

    def test_standard_input_that_is_closed_or_empty(self):
        command = '%s console-producer --bootstrap-server %s --topic closed' % (MQ, self.broker.address)
        r = subprocess.run(['sh', '-c', command + ' <&-'], capture_output=True, timeout=DEADLINE)
        self.assertEqual(r.returncode, 1)
        self.assertIn(b'standard input', r.stderr)
        r = subprocess.run(['sh', '-c', command + ' </dev/null'], capture_output=True, timeout=DEADLINE)
        self.assertEqual((r.returncode, r.stderr), (0, b''))
        # A pipe that ends within a line: the line counts.
        r = subprocess.run(['sh', '-c', 'printf "one\\ntwo" | ' + command], capture_output=True, timeout=DEADLINE)
        self.assertEqual((r.returncode, r.stderr), (0, b''))
        self.assertEqual([m['payload'] for m in self.records('closed')], ['one', 'two'])

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

    def test_perf_test_counts_the_bytes_it_sends(self):
        payloads = os.path.join(self.broker.dir, 'payloads')
        with open(payloads, 'w') as f:
            f.write('x' * 1000)
        for args, n, size in ((('--payload-monotonic',), 1000, 2.89), (('--payload-file', payloads), 500, 1000)):
            r = subprocess.run([MQ, 'producer-perf-test', '--topic', 'bytes', '--num-records', str(n), '--throughput',
                                '2000.5', *args, '--producer-props', 'bootstrap.servers=' + self.broker.address],
                               capture_output=True, text=True, timeout=DEADLINE)
            self.assertEqual(r.returncode, 0, r.stderr)
            rate, mb = re.search(r'sent, ([\d.]+) records/sec \(([\d.]+) MB/sec', r.stdout).groups()
            self.assertLess(float(rate), 2600)
            self.assertAlmostEqual(float(mb), float(rate) * size / 2**20, delta=0.011)
        self.assertIn('Number of messages read: 1\n', r.stdout)

    def test_perf_test_in_json(self):
        payloads = os.path.join(self.broker.dir, 'payload')
        with open(payloads, 'w') as f:
            f.write('x' * 1000)
        r = subprocess.run([MQ, 'producer-perf-test', '--topic', 'json', '--num-records', '500', '--payload-file', payloads,
                            '--throughput', '-1', '--json', '--print-metrics', '--bootstrap-server', self.broker.address],
                           capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual((r.returncode, r.stderr), (0, ''))
        total = json.loads(r.stdout)  # one line and nothing else
        self.assertEqual((total['type'], total['records'], total['failed']), ('total', 500, 0))
        self.assertAlmostEqual(total['megabytesPerSec'], total['recordsPerSec'] * 1000 / 2**20, delta=0.001)
        self.assertLessEqual(total['p50LatencyMs'], total['p999LatencyMs'])
        self.assertLessEqual(total['p999LatencyMs'], total['maxLatencyMs'])
        self.assertEqual(total['metrics']['records-delivered'], 500)
        self.assertGreater(total['averageLatencyMs'], 0)

    def test_perf_test_in_transactions(self):
        """By either flag or the key; an id that is not given is made."""
        for i, (args, name) in enumerate(((('--transactional-id', 'perf-1', '--transaction-duration-ms', '20'), 'perf-1'),
                                          (('--transaction-duration-ms', '20'), r'performance-producer-[0-9a-f]{16}'),
                                          (('--producer-props', 'transactional.id=perf-3'), 'perf-3'))):
            with self.subTest(args=args):
                topic = 'perf-txn-%d' % i
                r = subprocess.run([MQ, 'producer-perf-test', '--topic', topic, '--num-records', '300', '--record-size',
                                    '100', '--throughput', '300', '--bootstrap-server', self.broker.address, *args],
                                   capture_output=True, text=True, timeout=DEADLINE)
                self.assertEqual((r.returncode, r.stderr), (0, ''))
                self.assertRegex(r.stdout, r'^300 records sent, ')
                until('markers are written', lambda: re.search(
                    r'(?m)^%s\s+\d+\s+\d+\s+CompleteCommit' % name, self.broker.mq('transactions', 'list')))
                self.assertEqual(len(self.records(topic)), 300)
        epoch = int(self.broker.mq('transactions', 'describe', '--transactional-id', 'perf-1').split('perf-1')[1].split()[1])
        self.assertGreater(epoch, 2)  # one a transaction

    def test_perf_test_tells_wrong_flags(self):
        base = ['--topic', 't', '--num-records', '1', '--throughput', '-1']
        for args, why in ((base, 'exactly one of'), (base + ['--record-size', '0'], 'above 0'),
                          (base[:4] + ['--record-size', '1'], '--throughput is missing'),
                          (base + ['--record-size', '1', '--transaction-duration-ms', '0'], 'above 0'),
                          (base[:5] + ['fast', '--record-size', '1'], '"fast"')):
            r = subprocess.run([MQ, 'producer-perf-test', *args], capture_output=True, text=True, timeout=DEADLINE)
            self.assertEqual(r.returncode, 2, args)
            self.assertIn(why, r.stderr)


class Examples(unittest.TestCase):
    """The numbered programs, each with a broker of its own: their output, and what is in the topic then."""

    def setUp(self):
        self.broker = Broker({'num.partitions': '1'}).start()

    def tearDown(self):
        self.broker.close()

    def run_example(self, name):
        r = subprocess.run([os.path.join(os.environ.get('builddir', '.'), 'examples', name), self.broker.address],
                           capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual((r.returncode, r.stderr), (0, ''))
        return r.stdout

    def first(self):
        out = kcat('-b', self.broker.address, '-C', '-t', 'first', '-e', '-q', '-o', 'beginning', '-J')
        return [(m['key'], m['payload']) for m in (json.loads(line) for line in out.splitlines())]

    def test_send(self):
        self.assertEqual(self.run_example('01_send'), '')
        self.assertEqual(self.first(), [(str(i), str(i)) for i in range(100)])

    def test_send_with_callback(self):
        self.assertEqual(self.run_example('02_send_with_callback'), ''.join('success->%d\n' % i for i in range(100)))
        self.assertEqual(self.first(), [(str(i), str(i)) for i in range(100)])

    def test_send_synchronously(self):
        self.assertEqual(self.run_example('03_send_synchronously'), '')
        self.assertEqual(self.first(), [(str(i), str(i)) for i in range(100)])

    def test_interceptors(self):
        self.assertEqual(self.run_example('04_interceptors'), 'Successful sent: 10\nFailed sent: 0\n')
        values = [v for _, v in self.first()]
        self.assertEqual([re.sub(r'^\d{13},', '', v) for v in values], ['message%d' % i for i in range(10)])
        self.assertTrue(all(re.match(r'\d{13},message\d$', v) for v in values))


class Kills(unittest.TestCase):
    def test_kills_while_producing_lose_and_repeat_nothing(self):
        kills, records_per_kill, partitions = 4, 3000, 3
        with Broker({'num.partitions': str(partitions)}) as broker:
            # The first answer of a fresh broker may be that the topic is being made.
            broker.mq('topics', '--create', '--topic', 'killed', '--partitions', str(partitions))
            # A small buffer: while the broker is down the producer soon takes no more lines, so that each kill
            # finds batches on their way.
            producer = subprocess.Popen(
                [MQ, 'console-producer', '--bootstrap-server', broker.address, '--topic', 'killed', '--timeout', '1',
                 '--batch-size', '1000', '--message-send-max-retries', '2147483647', '--max-memory-bytes', '200000',
                 '--request-timeout-ms', '20000', '--property', 'parse.key=true',
                 '--producer-property', 'reconnect.backoff.max.ms=100'],
                stdin=subprocess.PIPE, stderr=subprocess.PIPE)
            n = 0
            for _ in range(kills):
                lines = b''.join(b'%d\t%d\n' % (i % 50, i) for i in range(n, n + records_per_kill))
                n += records_per_kill
                half = len(lines) // 2
                producer.stdin.write(lines[:half])
                producer.stdin.flush()
                broker.kill()
                feeder = threading.Thread(target=lambda: (producer.stdin.write(lines[half:]), producer.stdin.flush()))
                feeder.start()
                broker.start()
                feeder.join(DEADLINE)
            err = producer.communicate(timeout=2 * DEADLINE)[1]
            self.assertEqual(producer.returncode, 0, err.decode())
            out = kcat('-b', broker.address, '-C', '-t', 'killed', '-e', '-q', '-o', 'beginning', '-J')
            by_key = {}
            for line in out.splitlines():
                m = json.loads(line)
                by_key.setdefault(m['key'], []).append(int(m['payload']))
            self.assertEqual(sum(len(v) for v in by_key.values()), n)
            for key, values in by_key.items():
                self.assertEqual(values, list(range(int(key), n, 50)))


if __name__ == '__main__':
    unittest.main(verbosity=2)
