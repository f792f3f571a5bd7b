"""Apache Kafka from its published jars: its tools, and one broker that is its own controller."""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from broker import free_port, kcat, until  # noqa: E402

WORK = os.path.join(os.path.abspath(os.environ.get('builddir', '.')), 'kafka')
JARS = os.path.join(WORK, 'jars')
JARS_4 = os.path.join(WORK, 'jars-4')


def skip(why):
    print('### check-kafka was SKIPPED: ' + why)
    sys.exit(0)


def fetch_jars():
    for program in ('java', 'mvn'):
        if shutil.which(program) is None:
            skip(program + ' is not installed')
    os.makedirs(WORK, exist_ok=True)
    shutil.copy(os.path.join(HERE, 'pom.xml'), WORK)
    for jars, version in ((JARS, '3.9.0'), (JARS_4, '4.0.0')):
        if os.path.isdir(jars):
            continue
        r = subprocess.run(['mvn', '-q', '-B', 'dependency:copy-dependencies', '-Dkafka.version=' + version,
                            '-DoutputDirectory=' + jars + '.new'], cwd=WORK, timeout=600)
        if r.returncode != 0:
            skip('the jars could not be fetched')
        os.rename(jars + '.new', jars)


def java_command(main, *args, jars=JARS):
    return ['java', '-Xmx512m', '-cp', os.path.join(jars, '*'), main, *args]


def java(main, *args, stdin=None, check=True, jars=JARS):
    r = subprocess.run(java_command(main, *args, jars=jars), input=stdin, capture_output=True, timeout=180)
    if check and r.returncode != 0:
        raise AssertionError('%s: %d\n%s\n%s' % (main, r.returncode, r.stdout.decode()[-3000:], r.stderr.decode()[-3000:]))
    return r.stdout.decode()


class Kafka:
    """A broker in a directory; it keeps its data and its port from start to start."""

    def __init__(self, folder, jars=JARS, **conf):
        ports = [free_port(), free_port()]
        self.folder = folder
        self.jars = jars
        self.process = None
        self.address = '127.0.0.1:%d' % ports[0]
        self.conf = os.path.join(folder, 'kafka.properties')
        with open(self.conf, 'w') as f:
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
offsets.topic.num.partitions=1
''' % (ports[1], ports[0], ports[1], ports[0], folder, folder))
            for key, value in conf.items():
                f.write('%s=%s\n' % (key.replace('_', '.'), value))
        java('kafka.tools.StorageTool', 'format', '-t', 'AAAAAAAAQACAAAAAAAAAAQ', '-c', self.conf,
             jars=jars)

    def launch(self):
        with open(os.path.join(self.folder, 'kafka.out'), 'a') as out:
            self.process = subprocess.Popen(java_command('kafka.Kafka', self.conf, jars=self.jars),
                                            stdout=out, stderr=out)

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError('Kafka ended: ' + open(os.path.join(self.folder, 'kafka.out')).read()[-2000:])
        return kcat('-b', self.address, '-L', '-m', '2', check=False).returncode == 0

    def start(self):
        self.launch()
        until('Kafka is ready', self.ready, 120)
        return self

    def kill(self):
        self.process.kill()
        self.process.wait(60)

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
