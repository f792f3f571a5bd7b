#!/usr/bin/env python3
"""mq console-consumer and consumer-perf-test, and the numbered examples of the
consumer, against a real broker."""
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from broker import DEADLINE, MQ, Broker, Lines, kcat, until  # noqa: E402

EXAMPLES = os.path.join(os.environ.get('builddir', '.'), 'examples')
PROPERTIES = os.path.join(os.environ.get('srcdir', '.'), 'examples', 'consumer.properties')


class Program:
    """A program at work and the lines it has printed."""

    def __init__(self, test, *args):
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        test.addCleanup(self.process.kill)
        self.out = Lines(self.process.stdout)
        self.err = Lines(self.process.stderr)

    @property
    def lines(self):
        return [line.rstrip('\n') for line in self.out.seen]

    def end(self, sig=signal.SIGINT):
        """Its exit code and what it said on stderr."""
        self.process.send_signal(sig)
        code = self.process.wait(DEADLINE)
        self.out.close()
        self.err.close()
        return code, ''.join(self.err.seen)


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker({'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '3'}).start()
        cls.dir = tempfile.TemporaryDirectory(prefix='mq-consumer-')

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()
        cls.dir.cleanup()

    def topic(self, name, partitions=1):
        self.broker.mq('topics', '--create', '--topic', name, '--partitions', str(partitions))
        return name

    def produce(self, topic, *lines, args=()):
        kcat('-b', self.broker.address, '-P', '-t', topic, *args, stdin=b''.join(line + b'\n' for line in lines))

    def groups(self, *args):
        return self.broker.mq('consumer-groups', *args)

    def begin_at_start(self, group, topic):
        self.groups('--reset-offsets', '--group', group, '--topic', topic, '--to-earliest', '--execute')


class ConsoleConsumer(Base):
    def consume(self, *args, code=0):
        r = self.broker.mq('console-consumer', *args, '--timeout-ms', '20000', check=False)
        self.assertEqual(r.returncode, code, r.stderr)
        return r

    def test_from_the_beginning_with_all_columns(self):
        t = self.topic('columns')
        self.produce(t, b'k1:v1', b'k2:', args=('-K:', '-H', 'h1=a', '-H', 'h2=b', '-Z'))
        r = self.consume('--topic', t, '--from-beginning', '--max-messages', '2', '--property', 'print.key=true',
                         '--property', 'print.timestamp=true', '--property', 'print.offset=true', '--property',
                         'print.partition=true', '--property', 'print.headers=true', '--property', 'null.literal=NIL',
                         '--property', 'key.separator=|', '--property', 'headers.separator=;')
        self.assertEqual(re.sub(r'CreateTime:\d{13}', 'CreateTime:T', r.stdout),
                         'CreateTime:T|Partition:0|Offset:0|h1:a;h2:b|k1|v1\n'
                         'CreateTime:T|Partition:0|Offset:1|h1:a;h2:b|k2|NIL\n')
        self.assertEqual(r.stderr, 'Processed a total of 2 messages\n')
        r = self.consume('--topic', t, '--partition', '0', '--offset', '1', '--max-messages', '1', '--property',
                         'print.value=false', '--property', 'print.key=true', '--property', 'print.headers=true')
        self.assertEqual(r.stdout, 'h1:a,h2:b\tk2\n')
        path = os.path.join(self.dir.name, 'formatter.properties')
        with open(path, 'w') as f:
            f.write('# columns\nprint.key=true\nkey.separator=\\t\\t\nnull.literal=none\n')
        r = self.consume('--topic', t, '--partition', '0', '--offset', 'earliest', '--max-messages', '2',
                         '--formatter-config', path, '--property', 'null.literal=nil')
        self.assertEqual(r.stdout, 'k1\t\tv1\nk2\t\tnil\n')

    def test_deserializers(self):
        t = self.topic('numbers')
        path = os.path.join(self.dir.name, 'value')
        for value in (struct.pack('>i', -7), struct.pack('>q', 1 << 40), struct.pack('>d', 0.1), b'four'):
            with open(path, 'wb') as f:
                f.write(value)
            kcat('-b', self.broker.address, '-P', '-t', t, path)
        for offset, name, text in ((0, 'IntegerDeserializer', '-7'), (1, 'LongDeserializer', '1099511627776'),
                                   (2, 'org.apache.kafka.common.serialization.DoubleDeserializer', '0.1'),
                                   (3, 'StringDeserializer', 'four')):
            r = self.consume('--topic', t, '--partition', '0', '--offset', str(offset), '--max-messages', '1',
                             '--property', 'value.deserializer=' + name)
            self.assertEqual(r.stdout, text + '\n')
        r = self.consume('--topic', t, '--partition', '0', '--offset', '2', '--max-messages', '2', '--value-deserializer',
                         'IntegerDeserializer', code=1)
        self.assertIn('offset 2 of numbers-0 cannot be decoded', r.stderr)
        r = self.consume('--topic', t, '--partition', '0', '--offset', '0', '--max-messages', '4', '--value-deserializer',
                         'LongDeserializer', '--skip-message-on-error')
        self.assertEqual(len(r.stdout.splitlines()), 2)

    def test_json_is_one_object_a_line(self):
        t = self.topic('as-json')
        self.produce(t, b'k1:a "quoted" \\ \t\xc3\xa9\x01', b'k\xff:', b'k3:\xed\xa0\x80',
                     args=('-K:', '-H', 'h=1', '-H', 'h=\xe9'.encode('latin-1'), '-Z'))
        r = self.consume('--topic', t, '--from-beginning', '--max-messages', '3', '--json')
        records = [json.loads(line) for line in r.stdout.splitlines()]
        self.assertEqual(list(records[0]), ['topic', 'partition', 'offset', 'timestamp', 'timestampType', 'key', 'value',
                                            'headers'])
        headers = [{'key': 'h', 'value': '1'}, {'key': 'h', 'value': {'base64': '6Q=='}}]
        for i, (key, value) in enumerate((('k1', 'a "quoted" \\ \té\x01'), ({'base64': 'a/8='}, None),
                                          ('k3', {'base64': '7aCA'}))):
            self.assertAlmostEqual(records[i].pop('timestamp'), time.time() * 1000, delta=DEADLINE * 1000)
            self.assertEqual(records[i], {'topic': t, 'partition': 0, 'offset': i, 'timestampType': 'CreateTime',
                                          'key': key, 'value': value, 'headers': headers})
        r = self.broker.mq('console-consumer', '--topic', t, '--json', '--formatter', 'NoOpMessageFormatter', check=False)
        self.assertEqual((r.returncode, r.stdout), (2, ''))
        self.assertIn('--json excludes --formatter', r.stderr)

    def test_json_of_numbers(self):
        t = self.topic('json-numbers')
        path = os.path.join(self.dir.name, 'value')
        values = (('Integer', struct.pack('>i', -7), '-7'), ('Long', struct.pack('>q', 2**63 - 1), '9223372036854775807'),
                  ('Double', struct.pack('>d', 1e300), '1.0E300'), ('Float', struct.pack('>f', float('inf')), '"Infinity"'),
                  ('Double', struct.pack('>d', float('nan')), '"NaN"'), ('Boolean', b'\x01', 'true'))
        for offset, (name, value, text) in enumerate(values):
            with open(path, 'wb') as f:
                f.write(value)
            kcat('-b', self.broker.address, '-P', '-t', t, path)
            r = self.consume('--topic', t, '--partition', '0', '--offset', str(offset), '--max-messages', '1', '--json',
                             '--value-deserializer', name + 'Deserializer')
            self.assertIn('"key":null,"value":%s,"headers":[]}\n' % text, r.stdout)
            json.loads(r.stdout)

    def test_a_group_goes_on_where_it_was(self):
        t = self.topic('goes-on')
        self.produce(t, *(b'%d' % i for i in range(10)))
        self.begin_at_start('goes', t)
        r = self.consume('--topic', t, '--group', 'goes', '--max-messages', '4')
        self.assertEqual(r.stdout.split(), ['0', '1', '2', '3'])
        self.assertRegex(self.groups('--describe', '--group', 'goes'), r'goes +goes-on +0 +4 +10 +6 ')
        r = self.consume('--topic', t, '--consumer-property', 'group.id=goes', '--max-messages', '6')
        self.assertEqual(r.stdout.split(), ['4', '5', '6', '7', '8', '9'])

    def test_ends_by_timeout_signal_and_broken_pipe(self):
        t = self.topic('ends')
        r = self.broker.mq('console-consumer', '--topic', t, '--timeout-ms', '300', check=False)
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, '', 'Processed a total of 0 messages\n'))
        for sig in (signal.SIGINT, signal.SIGTERM):
            program = Program(self, MQ, 'console-consumer', '--bootstrap-server', self.broker.address, '--topic', t,
                              '--group', 'ends', '--from-beginning')
            self.produce(t, b'one')
            until('a record is printed', lambda: program.lines)
            code, said = program.end(sig)
            self.assertEqual((code, said), (0, 'Processed a total of %d messages\n' % len(program.lines)))
            # It has left its group.
            self.assertIn('Empty', self.groups('--describe', '--group', 'ends', '--state'))
        program = subprocess.Popen([MQ, 'console-consumer', '--bootstrap-server', self.broker.address, '--topic', t,
                                    '--from-beginning'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(program.kill)
        self.assertTrue(select.select([program.stdout], [], [], DEADLINE)[0], 'no record within %d s' % DEADLINE)
        self.assertEqual(program.stdout.readline(), 'one\n')
        program.stdout.close()
        self.produce(t, b'two')
        self.assertNotEqual(program.wait(DEADLINE), 0)
        self.assertIn('Unable to write to standard out', program.stderr.read())
        program.stderr.close()

    def test_says_why_nothing_comes(self):
        for args in ([], ['--partition', '0']):
            r = subprocess.run([MQ, 'console-consumer', '--bootstrap-server', '127.0.0.1:1', '--topic', 'why', *args,
                                '--timeout-ms', '2500'], capture_output=True, text=True, timeout=DEADLINE)
            self.assertEqual((r.returncode, r.stderr.splitlines()),
                             (1, ['mq console-consumer: warning: 127.0.0.1:1: cannot connect to 127.0.0.1 port 1: '
                                  'Connection refused', 'Processed a total of 0 messages']))

    def test_says_how_each_address_of_a_host_has_failed(self):
        addresses = [a[4][0] for a in socket.getaddrinfo('localhost', 1, type=socket.SOCK_STREAM)]
        r = subprocess.run([MQ, 'console-consumer', '--bootstrap-server', 'localhost:1', '--topic', 'why',
                            '--timeout-ms', '2500'], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(r.returncode, 1)
        warning = r.stderr.splitlines()[0]
        for address in addresses:
            self.assertRegex(warning, r'cannot connect to localhost port 1 \(.*%s: ' % re.escape(address))

    def test_many_topics_by_pattern(self):
        for name in ('pattern.a', 'pattern.b', 'other'):
            self.produce(self.topic(name), name.encode())
        r = self.consume('--include', r'pattern\..*', '--from-beginning', '--max-messages', '2')
        self.assertEqual(sorted(r.stdout.split()), ['pattern.a', 'pattern.b'])

    def test_committed_offsets_of_the_internal_topic(self):
        t = self.topic('for-offsets')
        self.produce(t, b'x', b'y')
        self.begin_at_start('internal', t)
        for formatter, line in (
                ('org.apache.kafka.tools.consumer.OffsetsMessageFormatter',
                 r'{"key":{"version":1,"data":{"group":"internal","topic":"for-offsets","partition":0}},'
                 r'"value":{"version":\d,"data":{"offset":0,"leaderEpoch":-1,"metadata":"","commitTimestamp":\d{13}}}}'),
                ('kafka.coordinator.group.GroupMetadataManager$OffsetsMessageFormatter',
                 r'\[internal,for-offsets,0\]::OffsetAndMetadata\(offset=0, leaderEpoch=Optional.empty, metadata=, '
                 r'commitTimestamp=\d{13}, expireTimestamp=None\)')):
            program = Program(self, MQ, 'console-consumer', '--bootstrap-server', self.broker.address, '--topic',
                              '__consumer_offsets', '--from-beginning', '--consumer.config', PROPERTIES,
                              '--consumer-property', 'group.id=reader', '--consumer-property',
                              'enable.auto.commit=false', '--formatter', formatter)
            program.out.find('the offset by ' + formatter, '^' + line + '$')
            code, said = program.end()
            self.assertEqual(code, 0, said)

    def test_mistakes_are_answered(self):
        for args, said in ((('--topic', 't', '--include', 'u'), 'exactly one of --topic and --include'),
                           (('--topic', 't', '--offset', '3'), '--offset wants --partition'),
                           (('--topic', 't', '--partition', '0', '--offset', 'x'), 'earliest, latest or a number'),
                           (('--topic', 't', '--frombeginning',), 'did you mean --from-beginning'),
                           (('--topic', 't', '--formatter', 'Nice'), 'there is no formatter Nice'),
                           (('--topic', 't', '--property', 'key.deserializer=X'), 'there is no deserializer X')):
            r = self.broker.mq('console-consumer', *args, check=False)
            self.assertEqual(r.returncode, 2)
            self.assertIn(said, r.stderr)
        r = self.broker.mq('console-consumer', '--topic', 't', '--zookeeper', 'z:2181', check=False)
        self.assertEqual(r.returncode, 1)
        self.assertIn('--bootstrap-server localhost:9092', r.stderr)

    def test_a_record_goes_to_one_consumer_of_the_group(self):
        """The course's case: two console consumers by one consumer.properties."""
        t = self.topic('group-case')
        programs = [Program(self, MQ, 'console-consumer', '--bootstrap-server', self.broker.address, '--topic', t,
                            '--consumer.config', PROPERTIES) for _ in range(2)]
        describe = ('consumer-groups', '--describe', '--group', 'atguigu', '--state')
        until('both are members',
              lambda: re.search(r'Stable +2$', self.broker.mq(*describe, check=False).stdout, re.M))
        self.produce(t, b'hello world')
        until('one has it', lambda: programs[0].lines or programs[1].lines)
        for p in programs:
            self.assertEqual(p.end()[0], 0)
        self.assertEqual(programs[0].lines + programs[1].lines, ['hello world'])


class PerfTest(Base):
    def test_line_and_header(self):
        t = self.topic('perf')
        self.produce(t, *(b'x' * 99 for _ in range(1000)))
        out = self.broker.mq('consumer-perf-test', '--topic', t, '--messages', '1000').splitlines()
        self.assertEqual(out[0], 'start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, '
                                 'rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec')
        time = r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{3}'
        self.assertRegex(out[1], r'^%s, %s, 0\.0944, \d+\.\d{4}, 1000, \d+\.\d{4}, \d+, -?\d+, \d+\.\d{4}, \d+\.\d{4}$'
                         % (time, time))
        self.assertEqual(len(out), 2)
        out = self.broker.mq('consumer-perf-test', '--topic', t, '--messages', '1001', '--timeout', '5000', '--hide-header',
                             '--print-metrics', '--date-format', "yyyy/MM'x'")
        self.assertIn('WARNING: Exiting before consuming the expected number of messages: timeout (5000 ms)', out)
        self.assertRegex(out, r'(?m)^\d{4}/\d\dx, \d{4}/\d\dx, 0\.0944')
        self.assertRegex(out, r'(?m)^records-consumed 1000$')
        r = self.broker.mq('consumer-perf-test', '--topic', t, check=False)
        self.assertEqual(r.returncode, 2)
        self.assertIn('--messages is missing', r.stderr)

    def test_json(self):
        t = self.topic('perf-json')
        self.produce(t, *(b'x' * 99 for _ in range(1000)))
        out = self.broker.mq('consumer-perf-test', '--topic', t, '--messages', '1000', '--json', '--show-detailed-stats',
                             '--reporting-interval', '1').splitlines()
        spans = [json.loads(line) for line in out]
        self.assertEqual([x['type'] for x in spans], ['interval'] * (len(spans) - 1) + ['total'])
        self.assertLessEqual(sum(x['records'] for x in spans[:-1]), 1000)  # the last one does not end
        total = spans[-1]
        self.assertEqual((total['records'], total['megabytes'], total['complete']), (1000, 0.0944, True))
        self.assertEqual(total['endTimestamp'] - total['startTimestamp'], total['rebalanceTimeMs'] + total['fetchTimeMs'])
        r = self.broker.mq('consumer-perf-test', '--topic', t, '--messages', '1001', '--timeout', '5000', '--json',
                           '--print-metrics', check=False)
        self.assertEqual(r.returncode, 0)
        self.assertIn('WARNING: Exiting before', r.stderr)
        total = json.loads(r.stdout)
        self.assertEqual((total['complete'], total['metrics']['records-consumed']), (False, 1000))


class Examples(Base):
    """What 01_send has sent, read by each of the examples."""
    PRINTED = ''.join('offset = %d, key = %d, value = %d\n' % (i, i, i) for i in range(100))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.broker.mq('topics', '--create', '--topic', 'first')
        subprocess.run([os.path.join(EXAMPLES, '01_send'), cls.broker.address], check=True, timeout=DEADLINE)

    def run_example(self, name, *args):
        r = subprocess.run([os.path.join(EXAMPLES, name), self.broker.address, *args], capture_output=True, text=True,
                           timeout=DEADLINE)
        self.assertEqual((r.returncode, r.stderr), (0, ''))
        return r.stdout

    def committed(self):
        m = re.search(r'test +first +0 +(\d+) ', self.groups('--describe', '--group', 'test'))
        return int(m.group(1))

    def test_commits(self):
        for name in ('05_auto_commit', '06_commit_sync', '07_commit_async'):
            with self.subTest(name):
                self.begin_at_start('test', 'first')
                self.assertEqual(self.run_example(name, '100'), self.PRINTED)
                self.assertEqual(self.committed(), 100)

    def test_what_ends_early_has_committed_what_it_printed(self):
        for name in ('05_auto_commit', '06_commit_sync', '07_commit_async'):
            with self.subTest(name):
                self.begin_at_start('test', 'first')
                printed = self.run_example(name, '3')
                self.assertEqual(len(printed.splitlines()), self.committed())

    def test_own_offsets(self):
        self.begin_at_start('test', 'first')
        path = os.path.join(self.dir.name, 'offsets.txt')
        self.assertEqual(self.run_example('08_own_offsets', '100', path), self.PRINTED)
        with open(path) as f:
            self.assertEqual(f.read(), 'first 0 100\n')
        self.assertEqual(self.committed(), 0)
        with open(path, 'w') as f:
            f.write('first 0 60\n')
        self.assertEqual(self.run_example('08_own_offsets', '40', path), ''.join(self.PRINTED.splitlines(True)[60:]))

    def test_z_group(self):
        self.assertEqual(self.run_example('09_group', PROPERTIES), 'hello world\nreceived by 1 of 2 consumers\n')


if __name__ == '__main__':
    unittest.main(verbosity=2)
