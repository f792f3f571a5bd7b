// One kafkajs member of a consumer group: what ../group_member.py is for other clients.
// Its assigner is named like theirs, so that it can be in one group with them, and lead it.
// usage: group_member.js ADDRESS GROUP TOPIC
'use strict'
const { AssignerProtocol, Kafka, PartitionAssigners, logLevel } = require('kafkajs')

const [address, groupId, topic] = process.argv.slice(2)
const say = (what) => process.stdout.write(JSON.stringify(what) + '\n')

const rangeLikeOthers = ({ cluster }) => ({
  ...PartitionAssigners.roundRobin({ cluster }),
  name: 'range',
  protocol: ({ topics }) => ({
    name: 'range',
    metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
  }),
})

// kafkajs tells the generation in its log alone.
let joined = -1
const logCreator = () => ({ log }) => {
  if (log.message.startsWith('Response JoinGroup') && log.data) joined = log.data.generationId
}
const kafka = new Kafka({
  clientId: 'member', brokers: [address], logLevel: logLevel.DEBUG, logCreator,
  retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 100 },
})
const consumer = kafka.consumer({
  groupId, partitionAssigners: [rangeLikeOthers], sessionTimeout: 6000, heartbeatInterval: 500,
  maxWaitTimeInMs: 200,
})

let generation = -1
let owned = []
consumer.on(consumer.events.REBALANCING, () => { generation = -1 })
consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
  generation = joined
  owned = payload.memberAssignment[topic] || []
  say({ assigned: owned, generation })
})

async function eachBatch({ batch, resolveOffset, heartbeat }) {
  const { partition } = batch
  const under = owned.includes(partition) ? generation : -1
  for (const { offset, value } of batch.messages) {
    say({ partition, offset: Number(offset), value: value.toString(), generation: under })
    resolveOffset(offset)
  }
  const offset = String(BigInt(batch.lastOffset()) + 1n)
  try {
    await consumer.commitOffsets([{ topic, partition, offset }])
    say({ committed: partition, offset: Number(offset) })
  } catch (e) {
    say({ refused: e.message })
    throw e
  }
  await heartbeat()
}

async function main() {
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({ autoCommit: false, eachBatch })
  process.stdin.resume()
  process.stdin.on('end', async () => {
    await consumer.disconnect()
    process.exit(0)
  })
}

main()
