// kafkajs administers the broker given in MQ_ADDRESS and produces into it; what
// it wrote is read back by kcat in run.py, until there are groups.
'use strict'
const test = require('node:test')
const assert = require('node:assert')
const { Kafka, CompressionTypes, ConfigResourceTypes, logLevel } = require('kafkajs')

const kafka = new Kafka({ clientId: 'interop', brokers: [process.env.MQ_ADDRESS], logLevel: logLevel.ERROR })
const admin = kafka.admin()

test.before(() => admin.connect())
test.after(() => admin.disconnect())

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
