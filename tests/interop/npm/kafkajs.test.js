// kafkajs administers the broker given in MQ_ADDRESS, produces into it, consumes in
// groups and transacts; what it wrote is also read back by kcat in run.py.
'use strict'
const { test: named, before, after } = require('node:test')
const assert = require('node:assert')
const { setTimeout: pause } = require('node:timers/promises')
const { Kafka, CompressionTypes, ConfigResourceTypes, logLevel } = require('kafkajs')

const kafka = new Kafka({ clientId: 'interop', brokers: [process.env.MQ_ADDRESS], logLevel: logLevel.ERROR })
const admin = kafka.admin()

const DEADLINE = 60000
const PAUSE = 20

// A test that hangs is told by its name; what it has opened it closes itself, however it ends.
const test = (name, body) => named(name, { timeout: 4 * DEADLINE }, body)

before(() => admin.connect())
after(() => admin.disconnect())

async function send(topic, messages, options = {}, producerOptions = {}) {
  const producer = kafka.producer({ allowAutoTopicCreation: true, ...producerOptions })
  await producer.connect()
  try {
    return await producer.send({ topic, messages, ...options })
  } finally {
    await producer.disconnect()
  }
}

test('topics are created, described, grown and deleted', async () => {
  assert.strictEqual(await admin.createTopics({ topics: [{ topic: 'js-admin', numPartitions: 3 }] }), true)
  assert.strictEqual(await admin.createTopics({ topics: [{ topic: 'js-admin', numPartitions: 3 }] }), false)
  await admin.createPartitions({ topicPartitions: [{ topic: 'js-admin', count: 5 }] })
  const { topics } = await admin.fetchTopicMetadata({ topics: ['js-admin'] })
  assert.strictEqual(topics[0].partitions.length, 5)
  await admin.deleteTopics({ topics: ['js-admin'] })
  assert.ok(!(await admin.listTopics()).includes('js-admin'))
})

test('configurations are described and altered', async () => {
  await admin.createTopics({ topics: [{ topic: 'js-config' }] })
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: 'js-config', configEntries: [{ name: 'retention.ms', value: '4321' }] }],
  })
  const { resources } = await admin.describeConfigs({
    includeSynonyms: true,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: 'js-config' }],
  })
  const entry = resources[0].configEntries.find((e) => e.configName === 'retention.ms')
  assert.strictEqual(entry.configValue, '4321')
})

test('the cluster is described', async () => {
  const cluster = await admin.describeCluster()
  assert.strictEqual(cluster.brokers.length, 1)
  assert.strictEqual(cluster.controller, cluster.brokers[0].nodeId)
  assert.match(cluster.clusterId, /^[A-Za-z0-9_-]{22}$/)
})

test('plain, gzip and idempotent producers get offsets', async () => {
  for (const [topic, options, producerOptions] of [
    ['js-plain', {}, {}],
    ['js-gzip', { compression: CompressionTypes.GZIP }, {}],
    ['js-idempotent', { acks: -1 }, { idempotent: true, maxInFlightRequests: 1 }],
  ]) {
    const messages = Array.from({ length: 200 }, (_, i) => ({ key: `k${i}`, value: `v${i}`, headers: { h: 'x' } }))
    const [sent] = await send(topic, messages, options, producerOptions)
    assert.strictEqual(sent.errorCode, 0)
    assert.strictEqual(sent.baseOffset, '0')
    const [{ high, low }] = await admin.fetchTopicOffsets(topic)
    assert.deepStrictEqual([low, high], ['0', '200'])
  }
})

test('records are deleted up to an offset', async () => {
  await send('js-delete', Array.from({ length: 10 }, (_, i) => ({ value: `v${i}` })))
  // kafkajs looks for the leader in what it has already heard of the topic.
  await admin.fetchTopicOffsets('js-delete')
  await admin.deleteTopicRecords({ topic: 'js-delete', partitions: [{ partition: 0, offset: '4' }] })
  const [{ low, high }] = await admin.fetchTopicOffsets('js-delete')
  assert.deepStrictEqual([low, high], ['4', '10'])
})

test('offsets are found by time', async () => {
  await send('js-time', [1000, 2000, 3000].map((t) => ({ value: 'x', timestamp: String(1600000000000 + t) })))
  const [found] = await admin.fetchTopicOffsetsByTimestamp('js-time', 1600000001500)
  assert.strictEqual(found.offset, '1')
})

// A group of kafkajs members; a member of another client could join it, as the
// assigner goes by the name of librdkafka's.
const roundrobinLikeOthers = ({ cluster }) => {
  const assigner = require('kafkajs').PartitionAssigners.roundRobin({ cluster })
  const { AssignerProtocol } = require('kafkajs')
  return {
    ...assigner,
    name: 'roundrobin',
    protocol: ({ topics }) => ({
      name: 'roundrobin',
      metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
    }),
  }
}

test('a group shares its topic and goes on where it was', async (t) => {
  await admin.createTopics({ topics: [{ topic: 'js-group', numPartitions: 4 }] })
  const value = (i) => ({ value: String(i), partition: i % 4 })
  await send('js-group', Array.from({ length: 100 }, (_, i) => value(i)))
  const seen = []
  let wake = () => {}
  const member = async () => {
    const consumer = kafka.consumer({ groupId: 'js', partitionAssigners: [roundrobinLikeOthers], sessionTimeout: 6000 })
    t.after(() => consumer.disconnect())
    await consumer.connect()
    await consumer.subscribe({ topics: ['js-group'], fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ partition, message }) => {
        seen.push(`${partition}/${message.offset}`)
        wake()
      },
    })
    return consumer
  }
  // What is awaited may be there before anybody asks: a record can overtake its
  // own acknowledgement. A rebalance may also bring a record twice.
  const until = async (what, came) => {
    const late = setTimeout(() => wake(), DEADLINE)
    const end = Date.now() + DEADLINE
    while (!came()) {
      assert.ok(Date.now() < end, `not within ${DEADLINE} ms: ${what}; ${new Set(seen).size} records seen`)
      await new Promise((resolve) => { wake = resolve })
    }
    clearTimeout(late)
  }
  const different = (n) => () => new Set(seen).size === n
  const committedOffsets = async () => {
    const [{ partitions }] = await admin.fetchOffsets({ groupId: 'js', topics: ['js-group'] })
    return partitions.map((p) => p.offset).sort()
  }
  const one = await member()
  const two = await member()
  await until('the first hundred records', different(100))
  await send('js-group', Array.from({ length: 100 }, (_, i) => value(i)))
  await until('the second hundred', different(200))
  // A member that leaves may find its last commit refused by the rebalance.
  const end = Date.now() + DEADLINE
  let offsets
  while ((offsets = await committedOffsets()).some((offset) => offset !== '50')) {
    assert.ok(Date.now() < end, `not within ${DEADLINE} ms: all is committed; it is ${offsets}`)
    await pause(PAUSE)
  }
  await one.disconnect()
  await two.disconnect()
  const three = await member()
  const before = seen.length
  await send('js-group', [value(0)])
  await until('the last record', () => seen.includes('0/50'))
  assert.deepStrictEqual(seen.slice(before), ['0/50'])
  await three.disconnect()
  const { groups } = await admin.listGroups()
  assert.ok(groups.some((g) => g.groupId === 'js' && g.protocolType === 'consumer'))
  assert.deepStrictEqual(await committedOffsets(), ['50', '50', '50', '51'])
  await admin.deleteGroups(['js'])
})

// What readers of committed records get from one partition, up to the last value.
async function committed(t, topic, groupId, last) {
  const consumer = kafka.consumer({ groupId, readUncommitted: false })
  t.after(() => consumer.disconnect())
  const values = []
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await new Promise((resolve) => consumer.run({
    eachMessage: async ({ message }) => {
      values.push(message.value.toString())
      if (message.value.toString() === last) resolve()
    },
  }))
  await consumer.disconnect()
  return values
}

function transactional(t, transactionalId) {
  const producer = kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 })
  t.after(() => producer.disconnect())
  return producer
}

test('transactions are committed and aborted, with offsets', async (t) => {
  await admin.createTopics({ topics: [{ topic: 'js-txn', numPartitions: 1 }] })
  const producer = transactional(t, 'js-txn')
  await producer.connect()
  for (let i = 0; i < 6; i++) {
    const transaction = await producer.transaction()
    await transaction.send({ topic: 'js-txn', messages: [{ value: `${i}-a` }, { value: `${i}-b` }] })
    await transaction.sendOffsets({
      consumerGroupId: 'js-txn-offsets',
      topics: [{ topic: 'js-txn', partitions: [{ partition: 0, offset: String(10 + i) }] }],
    })
    if (i % 2 === 0) await transaction.commit()
    else await transaction.abort()
  }
  const last = await producer.transaction()
  await last.send({ topic: 'js-txn', messages: [{ value: 'end' }] })
  await last.commit()
  await producer.disconnect()
  assert.deepStrictEqual(await committed(t, 'js-txn', 'js-txn-reader', 'end'),
    ['0-a', '0-b', '2-a', '2-b', '4-a', '4-b', 'end'])
  const [{ partitions }] = await admin.fetchOffsets({ groupId: 'js-txn-offsets', topics: ['js-txn'] })
  assert.strictEqual(partitions[0].offset, '14')
})

test('a second transactional producer fences the first', async (t) => {
  await admin.createTopics({ topics: [{ topic: 'js-fence', numPartitions: 1 }] })
  const zombie = transactional(t, 'js-fence')
  const heir = transactional(t, 'js-fence')
  await zombie.connect()
  const lost = await zombie.transaction()
  await lost.send({ topic: 'js-fence', messages: [{ value: 'zombie' }] })
  await heir.connect()
  const won = await heir.transaction()
  await won.send({ topic: 'js-fence', messages: [{ value: 'heir' }] })
  await won.commit()
  await assert.rejects(() => lost.commit())
  await zombie.disconnect()
  await heir.disconnect()
  assert.deepStrictEqual(await committed(t, 'js-fence', 'js-fence-reader', 'heir'), ['heir'])
})
