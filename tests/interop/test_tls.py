"""A TLS listener beside a plain one: kcat and kafka-python with and without a client certificate."""
import os
import re
import shutil
import subprocess
import unittest

from broker import Broker, kcat, need, skip

kafka = need('kafka')
from kafka import KafkaProducer  # noqa: E402


def openssl(directory, *args):
    if shutil.which('openssl') is None:
        skip('openssl is not installed')
    subprocess.run(['openssl', *args], cwd=directory, check=True, stdin=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def self_signed(directory, name, *more):
    openssl(directory, 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
            '-days', '2', '-subj', '/CN=' + name, '-keyout', name + '.key', '-out', name + '.pem', *more)


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker(listeners='SSL://localhost:0,PLAINTEXT://127.0.0.1:0')
        for name, *more in (('server', '-addext', 'subjectAltName=DNS:localhost'), ('alice',), ('mallory',),
                            ('elsewhere', '-addext', 'subjectAltName=DNS:other.example')):
            self_signed(cls.broker.dir, name, *more)
        cls.use('server')
        cls.broker.conf.update({'ssl.keystore.type': 'PEM', 'ssl.truststore.type': 'PEM',
                                'ssl.truststore.certificates': cls.inline('alice.pem'),
                                'ssl.client.auth': 'required'})
        cls.broker.start()
        cls.broker.lines.find('the second listener is ready', 'ready on PLAINTEXT://')

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.broker.dir, name)

    @classmethod
    def inline(cls, name):
        """A file as the value of a key: its lines ended as properties write them."""
        with open(cls.path(name)) as f:
            return f.read().replace('\n', '\\n')

    @classmethod
    def use(cls, name):
        cls.broker.conf.update({'ssl.keystore.certificate.chain': cls.inline(name + '.pem'),
                                'ssl.keystore.key': cls.inline(name + '.key')})

    def address(self, listener):
        ready = re.findall(r'ready on %s://(\S+)' % listener, ''.join(self.broker.log))
        return ready[-1]

    def kcat(self, *args, user=None, ca='server', **kw):
        conf = ['security.protocol=ssl', 'ssl.ca.location=' + self.path(ca + '.pem')]
        if user:
            conf += ['ssl.certificate.location=' + self.path(user + '.pem'),
                     'ssl.key.location=' + self.path(user + '.key')]
        return kcat('-b', self.address('SSL'), '-m', '2', *args, *[a for c in conf for a in ('-X', c)], **kw)

    def test_a_known_certificate_gets_in(self):
        self.kcat('-P', '-t', 'kcat', user='alice', stdin=b'secret\n')
        self.assertEqual(self.kcat('-C', '-t', 'kcat', '-e', '-q', '-o', 'beginning', user='alice'), b'secret\n')
        # The other listener is as it was.
        self.assertEqual(kcat('-b', self.address('PLAINTEXT'), '-C', '-t', 'kcat', '-e', '-q', '-o', 'beginning'),
                         b'secret\n')

    def test_no_certificate_and_an_unknown_one_stay_outside(self):
        for user, why in ((None, b'certificate required'), ('mallory', b'unknown ca')):
            with self.subTest(user=user):
                r = self.kcat('-L', user=user, check=False)
                self.assertNotEqual(r.returncode, 0)
                self.assertIn(why, r.stderr)

    def test_kafka_python_with_a_certificate(self):
        producer = KafkaProducer(bootstrap_servers=self.address('SSL'), security_protocol='SSL',
                                 ssl_cafile=self.path('server.pem'), ssl_certfile=self.path('alice.pem'),
                                 ssl_keyfile=self.path('alice.key'))
        self.assertEqual(producer.send('python', b'x').get(30).offset, 0)
        producer.close()

    def test_a_server_of_another_name_is_not_believed(self):
        server = Broker(listeners='SSL://localhost:0')
        server.conf.update({k: v for k, v in self.broker.conf.items() if k.startswith('ssl.')})
        server.conf.update({'ssl.keystore.certificate.chain': self.inline('elsewhere.pem'),
                            'ssl.keystore.key': self.inline('elsewhere.key'), 'ssl.client.auth': 'none'})
        with server:
            r = kcat('-b', 'localhost:%d' % server.port, '-L', '-m', '2', '-X', 'security.protocol=ssl',
                     '-X', 'ssl.ca.location=' + self.path('elsewhere.pem'), check=False)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn(b'verify', r.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)
