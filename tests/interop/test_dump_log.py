"""mq dump-log on the files of a real broker: as text, and as JSON with the same in it."""
import json
import os
import subprocess
import unittest

from broker import DEADLINE, MQ, Broker, kcat

LOG = '00000000000000000000.log'
LONG = 'one' * 100  # worth compressing


class DumpLog(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker({'log.index.interval.bytes': '100', 'offsets.topic.num.partitions': '1'}).start()
        cls.broker.mq('topics', '--create', '--topic', 'first')
        for lines, args in ((b'k1:%s\nk2:\n' % LONG.encode(), ('-z', 'gzip', '-H', 'h=1')),
                            (b'\xff:two\n', ('-H', 'h=\xe9'.encode('latin-1')))):
            kcat('-b', cls.broker.address, '-P', '-t', 'first', '-K:', '-Z', '-X', 'linger.ms=500', *args, stdin=lines)
        cls.broker.mq('consumer-groups', '--reset-offsets', '--group', 'g', '--topic', 'first', '--to-latest', '--execute')
        cls.broker.stop()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def path(self, name, topic='first'):
        return os.path.join(self.broker.dir, 'data', topic + '-0', name)

    def dump(self, *args, code=0):
        r = subprocess.run([MQ, 'dump-log', *args], capture_output=True, timeout=DEADLINE)
        self.assertEqual(r.returncode, code, r.stderr)
        return r.stdout

    def json(self, *args, code=0):
        found = [json.loads(line) for line in self.dump('--json', *args, code=code).splitlines()]
        files = {x.pop('file') for x in found}
        self.assertLessEqual(files, set(args))
        return found

    def test_text_of_batches_and_records(self):
        path = self.path(LOG)
        lines = self.dump('--print-data-log', '--files', path).split(b'\n')
        self.assertEqual(lines[:2], [b'Dumping ' + path.encode(), b'Log starting offset: 0'])
        self.assertRegex(lines[2], rb'^baseOffset: 0 lastOffset: 1 count: 2 .* compresscodec: gzip crc: \d+ isvalid: true$')
        self.assertRegex(lines[3], rb'^\| offset: 0 CreateTime: \d{13} keySize: 2 valueSize: 300 sequence: -1 '
                                   rb'headerKeys: \[h\] key: k1 payload: (one){100}$')
        self.assertTrue(lines[6].endswith(b' key: \xff payload: two'))

    def test_json_of_batches_and_records(self):
        path = self.path(LOG)
        batches = self.json('--files', path)
        self.assertEqual([(b['type'], b['baseOffset'], b['lastOffset'], b['count'], b['compression'], b['valid'],
                           b['producerId'], b['control'], b['deleteHorizon']) for b in batches],
                         [('batch', 0, 1, 2, 'gzip', True, -1, False, None),
                          ('batch', 2, 2, 1, 'none', True, -1, False, None)])
        self.assertEqual(batches[1]['position'], batches[0]['position'] + batches[0]['size'])
        found = self.json('--print-data-log', '--files', path)
        self.assertEqual([x['type'] for x in found], ['batch', 'record', 'record', 'batch', 'record'])
        records = [x for x in found if x['type'] == 'record']
        self.assertEqual([x.pop('timestamp') for x in records],
                         [x['timestamp'] for x in self.json('--deep-iteration', '--files', path) if 'timestamp' in x])
        self.assertEqual(records, [
            {'type': 'record', 'offset': 0, 'keySize': 2, 'valueSize': 300, 'sequence': -1,
             'headers': [{'key': 'h', 'value': '1'}], 'key': 'k1', 'value': LONG},
            {'type': 'record', 'offset': 1, 'keySize': 2, 'valueSize': None, 'sequence': -1,
             'headers': [{'key': 'h', 'value': '1'}], 'key': 'k2', 'value': None},
            {'type': 'record', 'offset': 2, 'keySize': 1, 'valueSize': 3, 'sequence': -1,
             'headers': [{'key': 'h', 'value': {'base64': '6Q=='}}], 'key': {'base64': '/w=='}, 'value': 'two'}])
        self.assertEqual(self.json('--print-data-log', '--skip-record-metadata', '--files', path)[1],
                         {'type': 'record', 'offset': 0, 'key': 'k1', 'value': LONG})
        # Without data, headers are named only.
        self.assertEqual(self.json('--deep-iteration', '--files', path)[1]['headers'], [{'key': 'h'}])

    def test_json_of_other_files(self):
        self.assertEqual(self.json('--files', self.path('leader-epoch-checkpoint')),
                         [{'type': 'leaderEpoch', 'epoch': 0, 'startOffset': 0}])
        index = self.json('--files', self.path(LOG[:-3] + 'index'))
        self.assertEqual([(x['type'], x['offset']) for x in index], [('index', 2)])
        times = self.json('--files', self.path(LOG[:-3] + 'timeindex'))
        self.assertTrue(all(set(x) == {'type', 'timestamp', 'offset'} and x['type'] == 'timeIndex' for x in times), times)
        self.assertEqual(self.json('--index-sanity-check', '--files', self.path(LOG[:-3] + 'index')),
                         [{'type': 'sanityCheck', 'passed': True}])

    def test_json_of_committed_offsets(self):
        found = self.json('--offsets-decoder', '--files', self.path(LOG, '__consumer_offsets'))
        record = [x for x in found if x['type'] == 'record' and x['key']['version'] == 1][-1]
        self.assertEqual(record['key'], {'version': 1, 'data': {'group': 'g', 'topic': 'first', 'partition': 0}})
        self.assertEqual(record['value']['data']['offset'], 3)
        # What cannot be decoded is there as it is.
        record = self.json('--transaction-log-decoder', '--files', self.path(LOG))[1]
        self.assertEqual((record['key'], record['value']), ('k1', LONG))

    def test_bytes_that_are_no_batch(self):
        path = os.path.join(self.broker.dir, LOG)
        with open(self.path(LOG), 'rb') as f:
            whole = f.read()
        with open(path, 'wb') as f:
            f.write(whole[:-1])
        found = self.json('--files', path)
        self.assertEqual([x['type'] for x in found], ['batch', 'invalidBytes'])
        self.assertEqual(found[1]['position'] + found[1]['size'], len(whole) - 1)
        self.assertIn(b' invalid bytes at the end of ' + LOG.encode(), self.dump('--files', path))
        self.assertEqual(self.dump('--json', '--files', path + '.nowhere.log', code=1), b'')

    def test_what_is_no_file(self):
        self.assertEqual(self.dump('--json', '--files', self.broker.dir, code=1), b'')
        self.assertEqual(self.dump('--json', '--files', self.path('nothing'), code=1), b'')
        # As in Kafka.
        self.assertEqual(self.dump('--json', '--files', self.path('partition.metadata')), b'')


if __name__ == '__main__':
    unittest.main(verbosity=2)
