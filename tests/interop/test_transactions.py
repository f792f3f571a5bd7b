"""Transactions of librdkafka, by its Python binding: commit, abort, fencing, time-outs, kills."""
import json
import os
import subprocess
import unittest

from broker import Broker, Lines, need, until

confluent_kafka = need('confluent_kafka')
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

TIME = 30


def producer(address, name, **conf):
    """A producer whose earlier namesakes are fenced from here on."""
    made = Producer({'bootstrap.servers': address, 'transactional.id': name, 'linger.ms': 0, **conf})
    made.init_transactions(TIME)
    return made


def consume(address, topic, partitions=1, isolation='read_committed'):
    """The values in the topic at present, per partition."""
    consumer = Consumer({'bootstrap.servers': address, 'group.id': 'unused', 'enable.auto.commit': False,
                         'enable.partition.eof': True, 'isolation.level': isolation,
                         'auto.offset.reset': 'error'})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    values = [[] for _ in range(partitions)]
    left = set(range(partitions))
    while left:
        message = consumer.poll(60)
        if message is None:
            raise AssertionError('nothing came for 60 s')
        if message.error() is None:
            values[message.partition()].append(message.value())
        elif message.error().code() == KafkaError._PARTITION_EOF:
            left.discard(message.partition())
        else:
            raise AssertionError(message.error())
    consumer.close()
    return values


class Transactions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker({'group.initial.rebalance.delay.ms': '0'}).start()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def topic(self, partitions=1, suffix=''):
        name = self.id().rsplit('.', 1)[1] + suffix
        admin = AdminClient({'bootstrap.servers': self.broker.address})
        for future in admin.create_topics([NewTopic(name, partitions, 1)]).values():
            future.result(60)
        return name

    def test_commit_and_abort(self):
        topic = self.topic(3)
        p = producer(self.broker.address, topic)
        committed = [[], [], []]
        everything = [[], [], []]
        for txn in range(20):
            p.begin_transaction()
            for i in range(30):
                value = b'%d-%d' % (txn, i)
                p.produce(topic, value, partition=i % 3)
                everything[i % 3].append(value)
                if txn % 3 != 1:
                    committed[i % 3].append(value)
            p.flush(TIME)
            if txn % 3 == 1:
                p.abort_transaction(TIME)
            else:
                p.commit_transaction(TIME)
        self.assertEqual(consume(self.broker.address, topic, 3), committed)
        self.assertEqual(consume(self.broker.address, topic, 3, 'read_uncommitted'), everything)

    def test_a_reader_stops_before_an_open_transaction(self):
        topic = self.topic()
        first = producer(self.broker.address, topic + '-1')
        second = producer(self.broker.address, topic + '-2')
        first.begin_transaction()
        first.produce(topic, b'open')
        first.flush(TIME)
        second.begin_transaction()
        second.produce(topic, b'done')
        second.commit_transaction(TIME)
        self.assertEqual(consume(self.broker.address, topic), [[]])
        self.assertEqual(consume(self.broker.address, topic, isolation='read_uncommitted'), [[b'open', b'done']])
        first.abort_transaction(TIME)
        self.assertEqual(consume(self.broker.address, topic), [[b'done']])

    def test_a_second_producer_fences_the_first(self):
        topic = self.topic()
        zombie = producer(self.broker.address, topic)
        zombie.begin_transaction()
        zombie.produce(topic, b'zombie')
        zombie.flush(TIME)
        heir = producer(self.broker.address, topic)
        heir.begin_transaction()
        heir.produce(topic, b'heir')
        heir.commit_transaction(TIME)
        with self.assertRaises(KafkaException) as raised:
            zombie.commit_transaction(TIME)
        self.assertTrue(raised.exception.args[0].fatal())
        self.assertEqual(raised.exception.args[0].code(), KafkaError._FENCED)
        self.assertEqual(consume(self.broker.address, topic), [[b'heir']])

    def test_a_transaction_that_takes_too_long_is_aborted(self):
        topic = self.topic()
        slow = producer(self.broker.address, topic, **{'transaction.timeout.ms': 1000,
                                                       'message.timeout.ms': 1000})
        slow.begin_transaction()
        slow.produce(topic, b'slow')
        slow.flush(TIME)
        other = producer(self.broker.address, topic + '-other')
        other.begin_transaction()
        other.produce(topic, b'other')
        other.commit_transaction(TIME)
        until('the time-out', lambda: consume(self.broker.address, topic) == [[b'other']])
        with self.assertRaises(KafkaException):
            slow.commit_transaction(TIME)

    def test_consume_transform_produce_is_exactly_once(self):
        """Each value is read in a group, and what is made of it written with its offset, by workers
        that give up in the middle and others that take over."""
        source, sink = self.topic(), self.topic(1, '-out')
        p = Producer({'bootstrap.servers': self.broker.address})
        values = [b'%d' % i for i in range(60)]
        for value in values:
            p.produce(source, value)
        p.flush(TIME)
        for round in range(4):
            worker = producer(self.broker.address, source)
            consumer = Consumer({'bootstrap.servers': self.broker.address, 'group.id': source,
                                 'enable.auto.commit': False, 'auto.offset.reset': 'earliest',
                                 'isolation.level': 'read_committed', 'enable.partition.eof': True})
            consumer.subscribe([source])
            n = 0
            while n < 20:
                message = consumer.poll(TIME)
                if message is None or message.error():
                    break
                worker.begin_transaction()
                worker.produce(sink, b'out ' + message.value())
                worker.send_offsets_to_transaction(consumer.position(consumer.assignment()),
                                                   consumer.consumer_group_metadata(), TIME)
                n += 1
                if n % 7 == 3:
                    worker.abort_transaction(TIME)
                    break
                worker.commit_transaction(TIME)
            consumer.close()
        self.drain(source, sink)
        self.assertEqual(consume(self.broker.address, sink), [[b'out ' + v for v in values]])
        group = Consumer({'bootstrap.servers': self.broker.address, 'group.id': source})
        self.assertEqual(group.committed([TopicPartition(source, 0)], TIME)[0].offset, len(values))
        group.close()

    def drain(self, source, sink):
        """The rest, in one transaction."""
        worker = producer(self.broker.address, source)
        consumer = Consumer({'bootstrap.servers': self.broker.address, 'group.id': source,
                             'enable.auto.commit': False, 'auto.offset.reset': 'earliest',
                             'enable.partition.eof': True})
        consumer.subscribe([source])
        worker.begin_transaction()
        while True:
            message = consumer.poll(TIME)
            self.assertIsNotNone(message)
            if message.error():
                break
            worker.produce(sink, b'out ' + message.value())
        worker.send_offsets_to_transaction(consumer.position(consumer.assignment()),
                                           consumer.consumer_group_metadata(), TIME)
        worker.commit_transaction(TIME)
        consumer.close()

    def test_the_commands_tell_of_transactions(self):
        topic = self.topic()
        p = producer(self.broker.address, topic)
        p.begin_transaction()
        p.produce(topic, b'open')
        p.flush(TIME)
        mq = self.broker.mq
        self.assertIn('\tOngoing', [line for line in mq('transactions', 'list').splitlines() if line.startswith(topic)][0])
        self.assertNotIn(topic, mq('transactions', 'list', '--duration-filter', '600000'))
        described = mq('transactions', 'describe', '--transactional-id', topic).splitlines()[1].split('\t')
        self.assertEqual((described[1], described[4], described[8]), (topic, 'Ongoing', topic + '-0'))
        at = ('--topic', topic, '--partition', '0')
        open_at = mq('transactions', 'describe-producers', *at).splitlines()[1].split('\t')
        self.assertEqual((open_at[0], open_at[5]), (described[2], '0'))
        self.tell_in_json(topic, int(described[2]))
        # It has a coordinator, so it does not hang.
        self.assertEqual(len(mq('transactions', 'find-hanging', '--max-transaction-timeout', '0').splitlines()), 1)
        p.commit_transaction(TIME)
        described = mq('transactions', 'describe', '--transactional-id', topic).splitlines()[1].split('\t')
        self.assertEqual((described[4], described[8]), ('CompleteCommit', ''))
        self.assertEqual(mq('transactions', 'describe', '--transactional-id', 'nobody', check=False).returncode, 1)
        self.assertEqual(mq('transactions', 'abort', *at, '--start-offset', '0', check=False).returncode, 1)
        self.assertEqual(mq('transactions', 'forget', check=False).returncode, 2)
        self.assertEqual(mq('transactions', 'abort', *at, check=False).returncode, 2)

    def tell_in_json(self, topic, producer_id):
        def mq(*args):
            return json.loads(self.broker.mq('transactions', *args, '--json'))

        listed = [x for x in mq('list') if x['transactionalId'] == topic]
        self.assertEqual([(x['producerId'], x['coordinator'], x['state']) for x in listed], [(producer_id, 0, 'Ongoing')])
        described = mq('describe', '--transactional-id', topic)
        self.assertEqual((described['producerId'], described['state'], described['partitions']),
                         (producer_id, 'Ongoing', [{'topic': topic, 'partition': 0}]))
        self.assertLess(described['durationMs'], 600000)
        producers = mq('describe-producers', '--topic', topic, '--partition', '0')
        self.assertEqual([(x['producerId'], x['transactionStartOffset']) for x in producers], [(producer_id, 0)])
        self.assertEqual(mq('find-hanging', '--max-transaction-timeout', '0'), [])

    def test_dump_log_decodes_transactions_as_json(self):
        broker = Broker({'transaction.state.log.num.partitions': '1'}).start()
        self.addCleanup(broker.close)
        p = producer(broker.address, 'txn')
        for end in (p.abort_transaction, p.commit_transaction):
            p.begin_transaction()
            p.produce('txn', b'value')
            p.flush(TIME)
            end(TIME)
        del p
        broker.stop()

        def dump(*args, partition='txn-0', suffix='.log'):
            path = os.path.join(broker.dir, 'data', partition, '0' * 20 + suffix)
            return [json.loads(x) for x in broker.mq_offline('dump-log', *args, '--json', '--files', path).splitlines()]

        records = [x for x in dump('--print-data-log') if x['type'] == 'record']
        self.assertEqual([(x['offset'], x.get('value'), x.get('marker')) for x in records],
                         [(0, 'value', None), (1, None, 'ABORT'), (2, 'value', None), (3, None, 'COMMIT')])
        aborted = dump(suffix='.txnindex')
        self.assertEqual([(x['type'], x['firstOffset'], x['lastOffset']) for x in aborted], [('abortedTransaction', 0, 1)])
        records = [x for x in dump('--transaction-log-decoder', partition='__transaction_state-0') if x['type'] == 'record']
        self.assertEqual({x['key']['data']['transactionalId'] for x in records}, {'txn'})
        partitions = [x['value']['data']['transactionPartitions'] for x in records]
        self.assertIn([{'topic': 'txn', 'partitionIds': [0]}], partitions)

    def test_a_hanging_transaction_is_found_and_aborted(self):
        """Its coordinator has lost its memory."""
        with Broker() as broker:
            p = producer(broker.address, 'hanging')
            p.begin_transaction()
            p.produce('hanging', b'nobody will end this')
            p.flush(TIME)
            broker.mq('topics', '--delete', '--topic', '__transaction_state')
            found = broker.mq('transactions', 'find-hanging', '--max-transaction-timeout', '0').splitlines()
            self.assertEqual(len(found), 2)
            self.assertEqual(found[1].split('\t')[:2], ['hanging', '0'])
            found_json = json.loads(broker.mq('transactions', 'find-hanging', '--max-transaction-timeout', '0', '--json'))
            self.assertEqual([(x['topic'], x['partition'], str(x['startOffset'])) for x in found_json],
                             [('hanging', 0, found[1].split('\t')[5])])
            self.assertEqual(consume(broker.address, 'hanging'), [[]])
            plain = Producer({'bootstrap.servers': broker.address})
            plain.produce('hanging', b'plain')
            plain.flush(TIME)
            self.assertEqual(consume(broker.address, 'hanging'), [[]])
            broker.mq('transactions', 'abort', '--topic', 'hanging', '--partition', '0',
                      '--start-offset', found[1].split('\t')[5])
            self.assertEqual(consume(broker.address, 'hanging'), [[b'plain']])
            self.assertEqual(len(broker.mq('transactions', 'find-hanging').splitlines()), 1)
            del p

    def test_the_example_counts_every_record_once(self):
        source, sink = self.topic(3), self.topic(1, '-out')
        p = Producer({'bootstrap.servers': self.broker.address})
        program = os.path.join(os.environ.get('builddir', '.'), 'examples', '10_exactly_once')
        for n in range(3):  # killed after its first transaction, or a little later
            for i in range(300 * n, 300 * (n + 1)):
                p.produce(source, b'value %d' % i, partition=i % 3)
            p.flush(TIME)
            process = subprocess.Popen([program, self.broker.address, source, sink], stdout=subprocess.PIPE)
            out = Lines(process.stdout)
            self.assertIsNotNone(out.next('a transaction of the example'))
            process.kill()
            process.wait(TIME)
            out.close()
        out = subprocess.run([program, self.broker.address, source, sink], check=True, timeout=120, text=True,
                             stdout=subprocess.PIPE).stdout
        for line in out.splitlines():
            self.assertRegex(line, r'^(1 record|\d+ records) of (1 partition|[23] partitions), committed$')
        self.assertEqual(sorted(consume(self.broker.address, sink)[0]), sorted(b'VALUE %d' % i for i in range(900)))

    def test_transactions_go_on_when_the_broker_was_killed(self):
        topic = self.topic(2)
        p = producer(self.broker.address, topic)
        committed = [[], []]
        for txn in range(4):
            p.begin_transaction()
            for i in range(10):
                p.produce(topic, b'%d-%d' % (txn, i), partition=i % 2)
            p.flush(TIME)
            if txn % 2 == 1:
                self.broker.kill()
                self.broker.start()
            p.commit_transaction(60)
            for i in range(10):
                committed[i % 2].append(b'%d-%d' % (txn, i))
        self.assertEqual(consume(self.broker.address, topic, 2), committed)


if __name__ == '__main__':
    unittest.main()
