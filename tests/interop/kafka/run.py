"""Apache Kafka's own tools against a real mq server, on the files it writes, and
the other way round. `make check-kafka`; says clearly when it cannot run."""
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from broker import Broker, kcat, until  # noqa: E402

WORK = os.path.join(os.path.abspath(os.environ.get('builddir', '.')), 'kafka')
JARS = os.path.join(WORK, 'jars')
LINES = [b'line %d of the file' % i for i in range(20000)]
CODECS = ('none', 'gzip', 'snappy', 'lz4', 'zstd')


def skip(why):
    print('### check-kafka was SKIPPED: ' + why)
    sys.exit(0)


def fetch_jars():
    for program in ('java', 'mvn'):
        if shutil.which(program) is None:
            skip(program + ' is not installed')
    if os.path.isdir(JARS):
        return
    os.makedirs(WORK, exist_ok=True)
    shutil.copy(os.path.join(HERE, 'pom.xml'), WORK)
    r = subprocess.run(['mvn', '-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=' + JARS + '.new'],
                       cwd=WORK, timeout=600)
    if r.returncode != 0:
        skip('the jars could not be fetched')
    os.rename(JARS + '.new', JARS)


def java(main, *args, stdin=None, check=True):
    r = subprocess.run(['java', '-Xmx512m', '-cp', os.path.join(JARS, '*'), main, *args], input=stdin,
                       capture_output=True, timeout=180)
    if check and r.returncode != 0:
        raise AssertionError('%s: %d\n%s\n%s' % (main, r.returncode, r.stdout.decode()[-3000:], r.stderr.decode()[-3000:]))
    return r.stdout.decode()


TOPICS = 'org.apache.kafka.tools.TopicCommand'
PRODUCE = 'kafka.tools.ConsoleProducer'
CONSUME = 'org.apache.kafka.tools.consumer.ConsoleConsumer'
DUMP = 'kafka.tools.DumpLogSegments'
CONFIGS = 'kafka.admin.ConfigCommand'


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

    def start_kafka(self, folder):
        ports = []
        for _ in range(2):
            with socket.socket() as s:
                s.bind(('127.0.0.1', 0))
                ports.append(s.getsockname()[1])
        conf = os.path.join(folder, 'kafka.properties')
        with open(conf, 'w') as f:
            f.write('''process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%d
listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d
advertised.listeners=PLAINTEXT://127.0.0.1:%d
controller.listener.names=CONTROLLER
log.dirs=%s/data
metadata.log.dir=%s/metadata
log.segment.bytes=200000
log.index.interval.bytes=1000
offsets.topic.replication.factor=1
''' % (ports[1], ports[0], ports[1], ports[0], folder, folder))
        java('kafka.tools.StorageTool', 'format', '-t', 'AAAAAAAAQACAAAAAAAAAAQ', '-c', conf)
        with open(os.path.join(folder, 'kafka.out'), 'w') as out:
            process = subprocess.Popen(['java', '-Xmx512m', '-cp', os.path.join(JARS, '*'), 'kafka.Kafka', conf],
                                       stdout=out, stderr=out)
        self.addCleanup(process.kill)
        address = '127.0.0.1:%d' % ports[0]

        def ready():
            if process.poll() is not None:
                raise AssertionError('Kafka ended: ' + open(os.path.join(folder, 'kafka.out')).read()[-2000:])
            return kcat('-b', address, '-L', '-m', '2', check=False).returncode == 0
        until('Kafka is ready', ready)
        return process, address

    def test_what_kafka_wrote_is_served(self):
        # A directory of its own for the broker, which starts later on Kafka's data.
        broker = Broker({'log.segment.bytes': '200000'})
        self.addCleanup(broker.close)
        kafka, address = self.start_kafka(broker.dir)
        for codec in CODECS:
            kcat('-b', address, '-P', '-t', 'kafka-' + codec, '-z', codec, '-X', 'batch.size=50000',
                 stdin=b'\n'.join(LINES) + b'\n')
        kafka.terminate()
        kafka.wait(60)
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
    fetch_jars()
    unittest.main(verbosity=2)
