"""The numbered examples beyond the first ones, the program of README's first command, mq doctor, and the
completion of commands: run as a newcomer runs them."""
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

from broker import Broker, DEADLINE, Lines, MQ, free_port, skip

EXAMPLES = os.path.join(os.environ.get('builddir', '.'), 'examples')
SOURCE = os.environ.get('srcdir', '.')


def run(name, *args, **kw):
    """A program of examples/, which succeeds and complains of nothing; its output."""
    r = subprocess.run([os.path.join(EXAMPLES, name), *args], capture_output=True, text=True, timeout=DEADLINE, **kw)
    if (r.returncode, r.stderr) != (0, ''):
        raise AssertionError('%s: %d\n%s%s' % (name, r.returncode, r.stdout, r.stderr))
    return r.stdout


class Directory(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='mq-examples-')

    def tearDown(self):
        shutil.rmtree(self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), 'w') as f:
            f.write(text)
        return self.path(name)


class Examples(Directory):
    def test_choose_partition(self):
        with Broker() as broker:
            broker.mq('topics', '--create', '--topic', 'first', '--partitions', '3')
            out = run('11_choose_partition', broker.address).splitlines()
        self.assertEqual(out[0], 'by number: partition 2')
        keyed = [re.fullmatch(r'by key "(\w+)": partition (\d)', line).groups() for line in out[1:4]]
        self.assertEqual(keyed[0], keyed[2])
        self.assertEqual(out[4:], ["by the program's partitioner, %s: partition %d" % x
                                   for x in (('apple', 0), ('banana', 1), ('cherry', 2))])

    def test_embedded_broker_with_clients_outside(self):
        program = subprocess.Popen([os.path.join(EXAMPLES, '12_embedded'), 'PLAINTEXT://127.0.0.1:0',
                                    self.path('data'), '3'], stdout=subprocess.PIPE, text=True)
        out = Lines(program.stdout)
        try:
            address = re.fullmatch(r'listening on (127\.0\.0\.1:\d+)\n', out.next('where it listens')).group(1)
            self.assertEqual(out.next('its own record'), 'hello from the inside\n')
            subprocess.run([MQ, 'console-producer', '--topic', 'first', '--bootstrap-server', address],
                           input=b'one\ntwo\n', check=True, timeout=DEADLINE)
            self.assertEqual(out.end('records from outside'), 'one\ntwo\n')
            self.assertEqual(program.wait(DEADLINE), 0)
        finally:
            program.kill()
            program.wait(DEADLINE)
            out.close()

    def test_event_loop(self):
        with Broker() as broker:
            broker.mq('topics', '--create', '--topic', 'first')
            self.assertEqual(run('13_event_loop', broker.address, '3', input='a\nb\nlonger line\n'),
                             'a\nb\nlonger line\n')
            # A line without end, and one that is longer than what is read at once.
            self.assertEqual(run('13_event_loop', broker.address, '3', input='x' * 5000 + '\nlast'),
                             'x' * 4096 + '\n' + 'x' * 904 + '\nlast\n')

    def test_tls(self):
        if shutil.which('openssl') is None:
            skip('openssl is not installed')
        # The commands that the example itself names.
        with open(os.path.join(SOURCE, 'examples', '14_tls.c')) as f:
            header = f.read().split('*/')[0]
        script = '\n'.join(line[3:] for line in header[header.index(' *     for name'):].split('\n')
                           if line.startswith(' *     '))
        subprocess.run(['sh', '-c', script], cwd=self.dir, check=True, stderr=subprocess.DEVNULL,
                       stdin=subprocess.DEVNULL, timeout=DEADLINE)
        self.assertEqual(run('14_tls', self.dir, self.path('data')), 'hello, over TLS\n')

    def test_from_embedded_to_elsewhere_by_configuration_alone(self):
        data = self.path('data')
        inside = self.write('inside.properties', 'bootstrap.servers=inproc://here\n')
        own = self.write('broker.properties', 'mq.inproc.name=here\nlisteners=\nlog.dirs=%s\n' % data)
        said = 'partition 0, offset %d: hello, wherever you are\n'
        self.assertEqual(run('15_anywhere', inside, own), said % 0)
        self.assertEqual(run('15_anywhere', inside, own), said % 1)
        # The same directory, served by another process.
        with Broker({'log.dirs': data}) as broker:
            outside = self.write('outside.properties', 'bootstrap.servers=%s\n' % broker.address)
            self.assertEqual(run('15_anywhere', outside), said % 2)

    def test_quickstart(self):
        lines = self.write('lines', ''.join('line %d\n' % i for i in range(20000)) + '\nno newline at the end')
        r = subprocess.run([os.path.join(EXAMPLES, 'quickstart'), lines, 'q', self.path('data')], capture_output=True,
                           text=True, timeout=DEADLINE)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn('20002 records', r.stdout)
        self.assertIn('each partition gave back the same records in the same order', r.stdout)
        members = [int(n) for n in re.findall(r'member \d of the group received (\d+)', r.stdout)]
        self.assertEqual((len(members), sum(members)), (2, 20002))
        self.assertIn('sent 20002, acknowledged 20002, consumed 20002', r.stderr)


class Doctor(Directory):
    def doctor(self, *args, code):
        r = subprocess.run([MQ, 'doctor', '--json', '--timeout-ms', '2000', *args], capture_output=True, text=True,
                           timeout=DEADLINE)
        self.assertEqual(r.returncode, code, r.stdout + r.stderr)
        return json.loads(r.stdout)

    def failing(self, *args):
        failed = [c for c in self.doctor(*args, code=1) if not c['ok']]
        self.assertTrue(all(c['advice'] for c in failed), failed)
        return failed[-1]

    def test_all_is_well(self):
        with Broker() as broker:
            checks = self.doctor('--bootstrap-server', broker.address, code=0)
            self.assertEqual({c['check'] for c in checks}, {'port', 'protocol', 'cluster', 'advertised', 'versions'})
            out = broker.mq('doctor')
        self.assertTrue(out.endswith('A client with this configuration can connect.\n'), out)

    def test_name_and_port(self):
        self.assertEqual(self.failing('--bootstrap-server', 'no-such-host.invalid:9092')['check'], 'name')
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))  # nobody listens
            refused = self.failing('--bootstrap-server', '127.0.0.1:%d' % s.getsockname()[1])
        self.assertEqual(refused['check'], 'port')
        self.assertIn('refused', refused['text'])
        self.assertEqual(self.failing('--bootstrap-server', 'localhost')['check'], 'address')

    def test_advertised_address_that_leads_nowhere(self):
        with Broker({'advertised.listeners': 'PLAINTEXT://no-such-host.invalid:9092'}) as broker:
            failed = self.failing('--bootstrap-server', broker.address)
        self.assertEqual(failed['check'], 'advertised')
        self.assertIn('advertised.listeners', failed['advice'])

    def answered(self, answer):
        """What is found at a server that says something of its own."""
        with socket.socket() as server:
            server.bind(('127.0.0.1', 0))
            server.listen()
            server.settimeout(DEADLINE)

            def serve():
                with server.accept()[0] as peer:
                    peer.settimeout(DEADLINE)
                    peer.recv(100)
                    peer.sendall(answer)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            failed = self.failing('--bootstrap-server', '127.0.0.1:%d' % server.getsockname()[1])
            thread.join(DEADLINE)
            self.assertFalse(thread.is_alive(), 'the answer was never asked for')
        self.assertEqual(failed['check'], 'protocol')
        return failed['text']

    def test_who_answers(self):
        self.assertIn('speaks TLS', self.answered(b'\x15\x03\x03\x00\x02\x02\x46'))
        self.assertIn('answers HTTP', self.answered(b'HTTP/1.1 400 Bad Request\r\n\r\n'))
        self.assertIn('closed the connection', self.answered(b''))
        self.assertIn('something else', self.answered(b'220 mail.example ESMTP\r\n'))

    def test_plain_listener_asked_with_tls(self):
        conf = self.write('client.properties', 'security.protocol=SSL\n')
        with Broker() as broker:
            self.assertEqual(self.failing('--bootstrap-server', broker.address, '--command-config', conf)['check'],
                             'cluster')


class ServerProperties(Directory):
    """The example of server.properties that is installed."""
    KEYS = ('broker.id', 'delete.topic.enable', 'num.network.threads', 'num.io.threads', 'socket.send.buffer.bytes',
            'socket.receive.buffer.bytes', 'socket.request.max.bytes', 'log.dirs', 'num.partitions',
            'num.recovery.threads.per.data.dir', 'log.retention.hours', 'zookeeper.connect',
            'replica.lag.time.max.ms')
    NOT_NOW = ('zookeeper.connect', 'listeners=SSL', 'ssl.', 'advertised.listeners')

    def test_each_key_has_a_comment_and_is_known(self):
        with open(os.path.join(SOURCE, 'etc', 'server.properties')) as f:
            text = f.read()
        for key in self.KEYS:
            self.assertRegex(text, r'(?m)^# .*\n(#?\S+=.*\n)*#?%s=' % re.escape(key))
        # Also with what is commented out, but for what needs certificates or a cluster.
        conf = {}
        for key, value in re.findall(r'(?m)^#?([a-z][a-z.]+)=(.*)$', text):
            if not (key + '=' + value).startswith(self.NOT_NOW):
                conf[key] = value
        conf.update({'listeners': 'PLAINTEXT://127.0.0.1:%d' % free_port(), 'log.dirs': self.path('data')})
        with Broker(conf) as broker:
            broker.mq('topics', '--create', '--topic', 'first')
            # Deleting records says what it has done, as JSON, too.
            what = self.write('offsets.json', '{"partitions": [{"topic": "first", "partition": 0, "offset": -1}]}')
            out = broker.mq('delete-records', '--offset-json-file', what, '--json')
            self.assertEqual(json.loads(out), [{'topic': 'first', 'partition': 0, 'lowWatermark': 0, 'error': ''}])


class Service(Directory):
    """What a service manager is told: sd_notify(3)."""

    def start(self, where):
        process = subprocess.Popen([MQ, 'server-start', '--override', 'listeners=PLAINTEXT://127.0.0.1:0', '--override',
                                    'log.dirs=' + self.path('data')], env=dict(os.environ, NOTIFY_SOCKET=where),
                                   stderr=subprocess.PIPE, text=True)
        lines = Lines(process.stderr)
        self.addCleanup(lines.close)
        self.addCleanup(process.wait, DEADLINE)
        self.addCleanup(process.kill)
        return process, lines

    def port(self, lines):
        return int(lines.find('the broker is ready', r'ready on PLAINTEXT://127.0.0.1:(\d+)').group(1))

    def serve(self, address, where):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(address)
            manager.settimeout(DEADLINE)
            process, lines = self.start(where)
            self.assertEqual(manager.recv(100), b'READY=1')
            # Clients are served by then.
            socket.create_connection(('127.0.0.1', self.port(lines)), DEADLINE).close()
            process.terminate()
            self.assertEqual(manager.recv(100), b'STOPPING=1')
            self.assertEqual(process.wait(DEADLINE), 0)

    def test_ready_and_stopping(self):
        self.serve(self.path('notify'), self.path('notify'))
        abstract = 'mq-notify-%d' % os.getpid()
        self.serve('\0' + abstract, '@' + abstract)

    def test_a_manager_that_is_gone_is_no_reason_to_stop(self):
        for where in (self.path('nobody'), 'relative', '@' + 'x' * 200, ''):
            process, lines = self.start(where)
            self.port(lines)
            process.terminate()
            self.assertEqual(process.wait(DEADLINE), 0)


class Completion(unittest.TestCase):
    def complete(self, *words):
        if shutil.which('bash') is None:
            skip('bash is not installed')
        script = '. %s; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mq; printf "%%s\\n" "${COMPREPLY[@]}"'
        r = subprocess.run(['bash', '-c', script % os.path.join(SOURCE, 'etc', 'mq.bash'), 'bash',
                            os.path.abspath(MQ), *words], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual((r.returncode, r.stderr), (0, ''))
        return r.stdout.split()

    def test_commands_and_options(self):
        self.assertEqual(self.complete('server'), ['server-start', 'server-stop'])
        self.assertIn('console-consumer', self.complete(''))
        self.assertEqual(self.complete('topics', '--part'), ['--partitions'])
        self.assertIn('--bootstrap-server', self.complete('doctor', '--'))

    def test_topics_of_the_broker(self):
        with Broker() as broker:
            broker.mq('topics', '--create', '--topic', 'orders')
            self.assertEqual(self.complete('get-offsets', '--bootstrap-server', broker.address, '--topic', 'or'),
                             ['orders'])


if __name__ == '__main__':
    unittest.main(verbosity=2)
