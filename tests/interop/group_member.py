"""One member of a consumer group, as a program of its own that can be killed and paused.

Usage: group_member.py librdkafka|kafka-python ADDRESS GROUP TOPIC ASSIGNOR

Says on standard output, a line of JSON each: all that it is assigned when that changes, under
which generation, each record it has consumed, and what it has committed. Commits by itself
after each batch. Ends when its standard input does, leaving the group."""
import json
import logging
import re
import select
import sys

KIND, ADDRESS, GROUP, TOPIC, ASSIGNOR = sys.argv[1:6]
SESSION_MS = 6000


def say(**what):
    sys.stdout.write(json.dumps(what) + '\n')
    sys.stdout.flush()


def told_to_end():
    return bool(select.select([sys.stdin], [], [], 0)[0])


class Generation(logging.Handler):
    """librdkafka tells the generation in its log alone."""
    number = -1

    def emit(self, record):
        m = re.search(r'JoinGroup response: GenerationId (\d+)', record.getMessage())
        if m:
            self.number = int(m.group(1))


def librdkafka():
    from confluent_kafka import Consumer, KafkaException
    generation = Generation()
    logger = logging.getLogger('member')
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(generation)
    consumer = Consumer({'bootstrap.servers': ADDRESS, 'group.id': GROUP, 'enable.auto.commit': False,
                         'auto.offset.reset': 'earliest', 'session.timeout.ms': SESSION_MS,
                         'heartbeat.interval.ms': 500, 'partition.assignment.strategy': ASSIGNOR,
                         'debug': 'cgrp'}, logger=logger)
    current = [-1]
    owned = set()

    def assigned(_, partitions):
        current[0] = generation.number
        owned.update(p.partition for p in partitions)
        say(assigned=sorted(owned), generation=current[0])

    def lost(_, partitions):
        # A cooperative member reads on what it keeps, under the generation it has had it in.
        owned.difference_update(p.partition for p in partitions)
        if not owned:
            current[0] = -1
        say(assigned=sorted(owned), generation=current[0])

    consumer.subscribe([TOPIC], on_assign=assigned, on_revoke=lost, on_lost=lost)
    while not told_to_end():
        batch = [m for m in consumer.consume(50, 0.2) if m.error() is None]
        for m in batch:
            say(partition=m.partition(), offset=m.offset(), value=m.value().decode(),
                generation=current[0])
        if batch:
            try:
                for p in consumer.commit(asynchronous=False):
                    if p.error is None:
                        say(committed=p.partition, offset=p.offset)
            except KafkaException as e:
                say(refused=str(e))
    consumer.close()


def kafka_python():
    from kafka import ConsumerRebalanceListener, KafkaConsumer
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    from kafka.errors import KafkaError
    consumer = KafkaConsumer(bootstrap_servers=ADDRESS, group_id=GROUP, enable_auto_commit=False,
                             auto_offset_reset='earliest', session_timeout_ms=SESSION_MS,
                             heartbeat_interval_ms=500,
                             partition_assignment_strategy=[RangePartitionAssignor])
    current = [-1]

    class Listener(ConsumerRebalanceListener):
        def on_partitions_revoked(self, revoked):
            current[0] = -1

        def on_partitions_assigned(self, assigned):
            current[0] = consumer._coordinator._generation.generation_id
            say(assigned=[p.partition for p in assigned], generation=current[0])

    consumer.subscribe([TOPIC], listener=Listener())
    while not told_to_end():
        for records in consumer.poll(200, max_records=50).values():
            for r in records:
                say(partition=r.partition, offset=r.offset, value=r.value.decode(),
                    generation=current[0])
        try:
            positions = {p.partition: consumer.position(p) for p in consumer.assignment()}
            consumer.commit()
            for partition, offset in positions.items():
                say(committed=partition, offset=offset)
        except KafkaError as e:
            say(refused=str(e))
    consumer.close()


{'librdkafka': librdkafka, 'kafka-python': kafka_python}[KIND]()
