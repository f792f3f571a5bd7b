/*
 * The keys from l to remote, in order of their names; conf_table.c says what the
 * columns are. Names, types, defaults and ranges are those of Apache Kafka 3.9.
 */
/* clang-format off */
KNOWN("leader.imbalance.check.interval.seconds", B, LONG, "300", 1, HIGH, NULL,
	"Time between checks whether leadership is balanced.", NULL)
KNOWN("leader.imbalance.per.broker.percentage", B, INT, "10", LOW, HIGH, NULL,
	"Share of misplaced leaders that is tolerated.", NULL)
KNOWN("leader.replication.throttled.replicas", T, LIST, "", LOW, HIGH, NULL,
	"Replicas whose leaders are throttled.", NULL)
KEY("linger.ms", P, LONG, "0", 0, HIGH, NULL,
	"How long a batch that is not full waits for more records.", NULL)
KEY("listener.security.protocol.map", B, STRING,
	"SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT", LOW, HIGH,
	NULL, "Security protocol of each listener, NAME:PROTOCOL each: PLAINTEXT or SSL, not SASL.", NULL)
KEY("listeners", B, STRING, "PLAINTEXT://:9092", LOW, HIGH, NULL,
	"Addresses to listen on, NAME://host:port each; empty for no socket.", NULL)
KNOWN("local.retention.bytes", T, LONG, "-2", -2, HIGH, NULL,
	"Bytes kept here of a log with remote storage.", "log.local.retention.bytes")
KNOWN("local.retention.ms", T, LONG, "-2", -2, HIGH, NULL,
	"Time records are kept here of a log with remote storage.", "log.local.retention.ms")
KEY("log.cleaner.backoff.ms", B, LONG, "15000", 0, HIGH, NULL,
	"Pause of the cleaner when there was nothing to clean.", NULL)
KEY("log.cleaner.dedupe.buffer.size", B, LONG, "134217728", LOW, HIGH, NULL,
	"Memory of the cleaner for its map of keys.", NULL)
KEY("log.cleaner.delete.retention.ms", B, LONG, "86400000", 0, HIGH, NULL,
	"How long compaction keeps a tombstone.", NULL)
KEY("log.cleaner.enable", B, BOOL, "true", LOW, HIGH, NULL,
	"Run the cleaner; without it nothing is compacted.", NULL)
KNOWN("log.cleaner.io.buffer.load.factor", B, DOUBLE, "0.9", LOW, HIGH, NULL,
	"How full the cleaner's map of keys may become.", NULL)
KNOWN("log.cleaner.io.buffer.size", B, INT, "524288", 0, HIGH, NULL,
	"Memory of the cleaner for reading and writing.", NULL)
KNOWN("log.cleaner.io.max.bytes.per.second", B, DOUBLE, "1.7976931348623157E308", LOW, HIGH, NULL,
	"Most bytes a second the cleaner reads and writes.", NULL)
KEY("log.cleaner.max.compaction.lag.ms", B, LONG, "9223372036854775807", 1, HIGH, NULL,
	"Longest time before a record must be compacted.", NULL)
KEY("log.cleaner.min.cleanable.ratio", B, DOUBLE, "0.5", 0, 1, NULL,
	"Share of a log that must be dirty before it is compacted.", NULL)
KEY("log.cleaner.min.compaction.lag.ms", B, LONG, "0", 0, HIGH, NULL,
	"Time during which a record is not compacted.", NULL)
KNOWN("log.cleaner.threads", B, INT, "1", 0, HIGH, NULL, "Threads of the cleaner.", NULL)
KEY("log.cleanup.policy", B, LIST, "delete", LOW, HIGH, "compact|delete",
	"What becomes of old records: delete, compact or both.", NULL)
KEY("log.dir", B, STRING, "/tmp/kafka-logs", LOW, HIGH, NULL,
	"Directory of the logs, used when log.dirs is not set.", NULL)
KNOWN("log.dir.failure.timeout.ms", B, LONG, "30000", 1, HIGH, NULL,
	"How long a failed log directory may go unreported.", NULL)
KEY("log.dirs", B, STRING, NULL, LOW, HIGH, NULL, "Directories of the logs, separated by commas.",
	NULL)
KEY("log.flush.interval.messages", B, LONG, "9223372036854775807", 1, HIGH, NULL,
	"Records after which a log is flushed to the disk; with 1 only what is on the disk is acknowledged, as with mq.flush.before.ack; with more nothing waits for it.",
	NULL)
KEY("log.flush.interval.ms", B, LONG, NULL, LOW, HIGH, NULL,
	"Time after which a log with unflushed records is flushed.", NULL)
KEY("log.flush.offset.checkpoint.interval.ms", B, INT, "60000", 0, HIGH, NULL,
	"Time between checkpoints of the flushed offsets.", NULL)
KEY("log.flush.scheduler.interval.ms", B, LONG, "9223372036854775807", LOW, HIGH, NULL,
	"Default of log.flush.interval.ms.", NULL)
KEY("log.flush.start.offset.checkpoint.interval.ms", B, INT, "60000", 0, HIGH, NULL,
	"Time between checkpoints of the log start offsets.", NULL)
KEY("log.index.interval.bytes", B, INT, "4096", 0, HIGH, NULL,
	"Bytes of log between two entries of the offset index.", NULL)
KEY("log.index.size.max.bytes", B, INT, "10485760", 4, HIGH, NULL, "Most bytes of an index file.",
	NULL)
KNOWN("log.initial.task.delay.ms", B, LONG, "30000", 0, HIGH, NULL,
	"Pause after the start before upkeep of the logs begins.", NULL)
KNOWN("log.local.retention.bytes", B, LONG, "-2", -2, HIGH, NULL,
	"Bytes kept here of a log with remote storage.", NULL)
KNOWN("log.local.retention.ms", B, LONG, "-2", -2, HIGH, NULL,
	"Time records are kept here of a log with remote storage.", NULL)
KEY("log.message.downconversion.enable", B, BOOL, "true", LOW, HIGH, NULL,
	"Convert records for clients that read older formats.", NULL)
KNOWN("log.message.format.version", B, STRING, "3.0-IV1", LOW, HIGH, NULL,
	"Format in which records are stored.", NULL)
KEY("log.message.timestamp.after.max.ms", B, LONG, "9223372036854775807", 0, HIGH, NULL,
	"How far a timestamp may lie ahead of the broker's clock.", NULL)
KEY("log.message.timestamp.before.max.ms", B, LONG, "9223372036854775807", 0, HIGH, NULL,
	"How far a timestamp may lie behind the broker's clock.", NULL)
KEY("log.message.timestamp.difference.max.ms", B, LONG, "9223372036854775807", 0, HIGH, NULL,
	"How far a timestamp may be off; default of before and after.", NULL)
KEY("log.message.timestamp.type", B, STRING, "CreateTime", LOW, HIGH, "CreateTime|LogAppendTime",
	"Whether records carry the producer's or the broker's time.", NULL)
KEY("log.preallocate", B, BOOL, "false", LOW, HIGH, NULL,
	"Give a new segment its full size at once.", NULL)
KEY("log.retention.bytes", B, LONG, "-1", LOW, HIGH, NULL,
	"Bytes of a partition above which old segments go; -1 for no limit.", NULL)
KEY("log.retention.check.interval.ms", B, LONG, "300000", 1, HIGH, NULL,
	"Time between looks for segments to delete.", NULL)
KEY("log.retention.hours", B, INT, "168", LOW, HIGH, NULL, "How long records are kept, in hours.",
	NULL)
KEY("log.retention.minutes", B, INT, NULL, LOW, HIGH, NULL,
	"How long records are kept, in minutes.", NULL)
KEY("log.retention.ms", B, LONG, NULL, LOW, HIGH, NULL, "How long records are kept; -1 for ever.",
	NULL)
KEY("log.roll.hours", B, INT, "168", 1, HIGH, NULL,
	"Age at which a segment is closed and a new one begun, in hours.", NULL)
KEY("log.roll.jitter.hours", B, INT, "0", 0, HIGH, NULL,
	"Most by which the age of log.roll.hours is shortened at random, in hours.", NULL)
KEY("log.roll.jitter.ms", B, LONG, NULL, LOW, HIGH, NULL,
	"Most by which the age of log.roll.ms is shortened at random.", NULL)
KEY("log.roll.ms", B, LONG, NULL, LOW, HIGH, NULL,
	"Age at which a segment is closed and a new one begun.", NULL)
KEY("log.segment.bytes", B, INT, "1073741824", 14, HIGH, NULL, "Most bytes of a segment.", NULL)
KEY("log.segment.delete.delay.ms", B, LONG, "60000", 0, HIGH, NULL,
	"How long the files of a deleted segment stay.", NULL)
KEY("max.block.ms", P, LONG, "60000", 0, HIGH, NULL,
	"How long sending waits for the topic's partitions and for memory, together.", NULL)
KEY("max.compaction.lag.ms", T, LONG, "9223372036854775807", 1, HIGH, NULL,
	"Longest time before a record must be compacted.", "log.cleaner.max.compaction.lag.ms")
KNOWN("max.connection.creation.rate", B, INT, "2147483647", 0, HIGH, NULL,
	"Most new connections a second.", NULL)
KEY("max.connections", B, INT, "2147483647", 0, HIGH, NULL, "Most connections at one time.", NULL)
KEY("max.connections.per.ip", B, INT, "2147483647", 0, HIGH, NULL,
	"Most connections from one address.", NULL)
KNOWN("max.connections.per.ip.overrides", B, STRING, "", LOW, HIGH, NULL,
	"Exceptions to that limit, host:count each.", NULL)
KEY("max.in.flight.requests.per.connection", P, INT, "5", 1, HIGH, NULL,
	"Most requests a broker has not answered yet.", NULL)
KEY("max.incremental.fetch.session.cache.slots", B, INT, "1000", 0, HIGH, NULL,
	"Most fetch sessions that are remembered.", NULL)
KEY("max.message.bytes", T, INT, "1048588", 0, HIGH, NULL, "Largest record batch that is accepted.",
	"message.max.bytes")
KEY("max.partition.fetch.bytes", C, INT, "1048576", 0, HIGH, NULL,
	"Most bytes of one partition in an answer, but for a first batch that is larger.", NULL)
KEY("max.poll.interval.ms", C, INT, "300000", 1, HIGH, NULL,
	"Most time between polls before the member leaves its group.", NULL)
KEY("max.poll.records", C, INT, "500", 1, HIGH, NULL, "Most records of one poll.", NULL)
KNOWN("max.request.partition.size.limit", B, INT, "2000", 1, HIGH, NULL,
	"Most partitions described in one answer.", NULL)
KEY("max.request.size", P, INT, "1048576", 0, HIGH, NULL, "Most bytes of a request, and of a record.", NULL)
KEY("message.downconversion.enable", T, BOOL, "true", LOW, HIGH, NULL,
	"Convert records for clients that read older formats.", "log.message.downconversion.enable")
KNOWN("message.format.version", T, STRING, "3.0-IV1", LOW, HIGH, NULL,
	"Format in which records are stored.", "log.message.format.version")
KEY("message.max.bytes", B, INT, "1048588", 0, HIGH, NULL, "Largest record batch that is accepted.",
	NULL)
KEY("message.timestamp.after.max.ms", T, LONG, "9223372036854775807", 0, HIGH, NULL,
	"How far a timestamp may lie ahead of the broker's clock.",
	"log.message.timestamp.after.max.ms")
KEY("message.timestamp.before.max.ms", T, LONG, "9223372036854775807", 0, HIGH, NULL,
	"How far a timestamp may lie behind the broker's clock.",
	"log.message.timestamp.before.max.ms")
KEY("message.timestamp.difference.max.ms", T, LONG, "9223372036854775807", 0, HIGH, NULL,
	"How far a timestamp may be off; default of before and after.",
	"log.message.timestamp.difference.max.ms")
KEY("message.timestamp.type", T, STRING, "CreateTime", LOW, HIGH, "CreateTime|LogAppendTime",
	"Whether records carry the producer's or the broker's time.", "log.message.timestamp.type")
KNOWN("metadata.log.dir", B, STRING, NULL, LOW, HIGH, NULL, "Directory of the metadata log.", NULL)
KNOWN("metadata.log.max.record.bytes.between.snapshots", B, LONG, "20971520", 1, HIGH, NULL,
	"Bytes of metadata between two snapshots.", NULL)
KNOWN("metadata.log.max.snapshot.interval.ms", B, LONG, "3600000", 0, HIGH, NULL,
	"Longest time between two snapshots of the metadata.", NULL)
KNOWN("metadata.log.segment.bytes", B, INT, "1073741824", 12, HIGH, NULL,
	"Most bytes of a segment of the metadata log.", NULL)
KNOWN("metadata.log.segment.min.bytes", B, INT, "8388608", 12, HIGH, NULL,
	"Least bytes of a segment of the metadata log.", NULL)
KNOWN("metadata.log.segment.ms", B, LONG, "604800000", LOW, HIGH, NULL,
	"Age at which a segment of the metadata log is closed.", NULL)
KEY("metadata.max.age.ms", A | P | C, LONG, "300000", 0, HIGH, NULL,
	"Age at which metadata is fetched again.", NULL)
KNOWN("metadata.max.idle.interval.ms", B, INT, "500", 0, HIGH, NULL,
	"Longest silence of the metadata log.", NULL)
KEY("metadata.max.idle.ms", P, LONG, "300000", 5000, HIGH, NULL,
	"Time after which a topic nobody sends to is not asked about any more.", NULL)
KNOWN("metadata.max.retention.bytes", B, LONG, "104857600", LOW, HIGH, NULL,
	"Bytes of metadata above which old ones go.", NULL)
KNOWN("metadata.max.retention.ms", B, LONG, "604800000", LOW, HIGH, NULL,
	"How long old metadata is kept.", NULL)
KNOWN("metadata.recovery.strategy", A | P | C, STRING, "none", LOW, HIGH, "~REBOOTSTRAP|NONE",
	"What a client does when it knows no reachable broker.", NULL)
KNOWN("metric.reporters", B | A | P | C, LIST, "", LOW, HIGH, NULL, "Classes of metrics reporters.", NULL)
KNOWN("metrics.num.samples", B | A | P | C, INT, "2", 1, HIGH, NULL, "Samples kept for a metric.", NULL)
KNOWN("metrics.recording.level", B, STRING, "INFO", LOW, HIGH, NULL, "How much is measured.", NULL)
KNOWN("metrics.recording.level", A | P | C, STRING, "INFO", LOW, HIGH, "INFO|DEBUG|TRACE",
	"How much is measured.", NULL)
KNOWN("metrics.sample.window.ms", A | P | C, LONG, "30000", 0, HIGH, NULL,
	"Length of a sample of a metric.", NULL)
KNOWN("metrics.sample.window.ms", B, LONG, "30000", 1, HIGH, NULL,
	"Length of a sample of a metric.", NULL)
KEY("min.cleanable.dirty.ratio", T, DOUBLE, "0.5", 0, 1, NULL,
	"Share of a log that must be dirty before it is compacted.",
	"log.cleaner.min.cleanable.ratio")
KEY("min.compaction.lag.ms", T, LONG, "0", 0, HIGH, NULL,
	"Time during which a record is not compacted.", "log.cleaner.min.compaction.lag.ms")
KEY("min.insync.replicas", B | T, INT, "1", 1, HIGH, NULL,
	"Replicas that must be in sync for a write with acks=all.", "min.insync.replicas")
KEY("mq.callbacks.on.sender.thread", P, BOOL, "false", LOW, HIGH, NULL,
	"Delivery callbacks run on the producer's own thread only.", NULL)
KEY("mq.disk.free.min.bytes", B, LONG, "67108864", 0, HIGH, NULL,
	"Space to stay free in a log directory: with less, records are refused; groups and transactions may use half of it; 0 for none.", NULL)
KEY("mq.fetch.buffer.bytes", C, LONG, "67108864", 0, HIGH, NULL,
	"Bytes of fetched records a consumer keeps ready; one answer may exceed it.", NULL)
KEY("mq.flush.before.ack", B | T, BOOL, "false", LOW, HIGH, NULL,
	"Acknowledge a write only when it is on stable storage.", "mq.flush.before.ack")
KEY("mq.inproc.name", B, STRING, NULL, LOW, HIGH, NULL,
	"Name under which inproc://NAME finds the broker in its process.", NULL)
KEY("mq.transaction.version", B, INT, "2", 0, 2, NULL,
	"The transaction.version clients are told: with 2 each transaction has an epoch of its own (KIP-890), with less not.",
	NULL)
KEY("node.id", B, INT, "-1", LOW, HIGH, NULL,
	"Another name of broker.id; where both are set they are equal.", NULL)
KEY("num.io.threads", B, INT, "8", 1, HIGH, NULL, "Threads for what may block.", NULL)
KEY("num.network.threads", B, INT, "3", 1, HIGH, NULL, "Threads that serve connections.", NULL)
KEY("num.partitions", B, INT, "1", 1, HIGH, NULL,
	"Partitions of a topic that is created without saying how many.", NULL)
KEY("num.recovery.threads.per.data.dir", B, INT, "1", 1, HIGH, NULL,
	"Threads that recover each log directory at the start.", NULL)
KNOWN("num.replica.alter.log.dirs.threads", B, INT, NULL, LOW, HIGH, NULL,
	"Threads that move replicas between log directories.", NULL)
KNOWN("num.replica.fetchers", B, INT, "1", LOW, HIGH, NULL,
	"Threads that fetch from each other broker.", NULL)
KEY("offset.metadata.max.bytes", B, INT, "4096", LOW, HIGH, NULL,
	"Most bytes of metadata with a committed offset.", NULL)
KNOWN("offsets.commit.required.acks", B, SHORT, "-1", LOW, HIGH, NULL,
	"Acknowledgements a commit of offsets waits for.", NULL)
KEY("offsets.commit.timeout.ms", B, INT, "5000", 1, HIGH, NULL,
	"Longest wait for the commit of an offset.", NULL)
KEY("offsets.load.buffer.size", B, INT, "5242880", 1, HIGH, NULL,
	"Bytes read at a time when committed offsets are loaded.", NULL)
KEY("offsets.retention.check.interval.ms", B, LONG, "600000", 1, HIGH, NULL,
	"Time between looks for expired committed offsets.", NULL)
KEY("offsets.retention.minutes", B, INT, "10080", 1, HIGH, NULL,
	"How long the offsets of an empty group are kept, in minutes.", NULL)
KNOWN("offsets.topic.compression.codec", B, INT, "0", LOW, HIGH, NULL,
	"Codec of the topic of committed offsets.", NULL)
KEY("offsets.topic.num.partitions", B, INT, "50", 1, HIGH, NULL,
	"Partitions of the topic of committed offsets.", NULL)
KNOWN("offsets.topic.replication.factor", B, SHORT, "3", 1, HIGH, NULL,
	"Replicas of the topic of committed offsets.", NULL)
KEY("offsets.topic.segment.bytes", B, INT, "104857600", 1, HIGH, NULL,
	"Segment size of the topic of committed offsets.", NULL)
KEY("partition.assignment.strategy", C, LIST, "range,cooperative-sticky", LOW, HIGH, NULL,
	"Assignors, the preferred one first: range, roundrobin, sticky, cooperative-sticky, or the program's.", NULL)
KNOWN("partitioner.adaptive.partitioning.enable", P, BOOL, "true", LOW, HIGH, NULL,
	"Send more to brokers that are quicker.", NULL)
KNOWN("partitioner.availability.timeout.ms", P, LONG, "0", 0, HIGH, NULL,
	"Time after which a slow broker's partitions are avoided.", NULL)
KEY("partitioner.class", P, CLASS, NULL, LOW, HIGH, NULL,
	"Where records without a partition go; unset, by key, and without one in turn; DefaultPartitioner, without one a batch's worth to each; RoundRobinPartitioner and UniformStickyPartitioner, the same two without looking at keys; with or without Java's package.", NULL)
KEY("partitioner.ignore.keys", P, BOOL, "false", LOW, HIGH, NULL,
	"Choose a partition as if no record had a key.", NULL)
KNOWN("password.encoder.cipher.algorithm", B, STRING, "AES/CBC/PKCS5Padding", LOW, HIGH, NULL,
	"Cipher for stored passwords.", NULL)
KNOWN("password.encoder.iterations", B, INT, "4096", 1024, HIGH, NULL,
	"Iterations of the key derivation for stored passwords.", NULL)
KNOWN("password.encoder.key.length", B, INT, "128", 8, HIGH, NULL,
	"Length of the key for stored passwords.", NULL)
KNOWN("password.encoder.keyfactory.algorithm", B, STRING, NULL, LOW, HIGH, NULL,
	"Key derivation for stored passwords.", NULL)
KNOWN("password.encoder.old.secret", B, PASSWORD, NULL, LOW, HIGH, NULL,
	"Former secret of stored passwords.", NULL)
KNOWN("password.encoder.secret", B, PASSWORD, NULL, LOW, HIGH, NULL,
	"Secret that protects stored passwords.", NULL)
KEY("preallocate", T, BOOL, "false", LOW, HIGH, NULL, "Give a new segment its full size at once.",
	"log.preallocate")
KNOWN("principal.builder.class", B, CLASS,
	"org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder", LOW, HIGH,
	NULL, "Class that names who is connected.", NULL)
KNOWN("process.roles", B, LIST, "", LOW, HIGH, "broker|controller",
	"Roles of a process in a cluster without ZooKeeper.", NULL)
KNOWN("producer.id.expiration.check.interval.ms", B, INT, "600000", 1, HIGH, NULL,
	"Time between looks for expired producer ids.", NULL)
KEY("producer.id.expiration.ms", B, INT, "86400000", 1, HIGH, NULL,
	"How long an idle producer's state is remembered.", NULL)
KNOWN("producer.purgatory.purge.interval.requests", B, INT, "1000", LOW, HIGH, NULL,
	"Requests between purges of waiting produces.", NULL)
KNOWN("queued.max.request.bytes", B, LONG, "-1", LOW, HIGH, NULL,
	"Bytes of queued requests above which no more are read.", NULL)
KNOWN("queued.max.requests", B, INT, "500", 1, HIGH, NULL,
	"Queued requests above which no more are read.", NULL)
KNOWN("quota.window.num", B, INT, "11", 1, HIGH, NULL, "Samples kept for the quotas of clients.",
	NULL)
KNOWN("quota.window.size.seconds", B, INT, "1", 1, HIGH, NULL,
	"Length of a sample of the quotas of clients.", NULL)
KEY("receive.buffer.bytes", A | C, INT, "-1", -1, HIGH, NULL,
	"Receive buffer of a socket; -1 for the system's choice, which grows (Kafka's 65536 does not).",
	NULL)
KEY("receive.buffer.bytes", P, INT, "32768", -1, HIGH, NULL,
	"Receive buffer of a socket; -1 for the system's choice.", NULL)
KEY("reconnect.backoff.max.ms", A | P | C, LONG, "1000", 0, HIGH, NULL,
	"Longest pause before connecting again.", NULL)
KEY("reconnect.backoff.ms", A | P | C, LONG, "50", 0, HIGH, NULL, "First pause before connecting again.",
	NULL)
KNOWN("remote.fetch.max.wait.ms", B, INT, "500", 1, HIGH, NULL,
	"Longest wait for remote storage in a fetch.", NULL)
KNOWN("remote.log.copy.disable", T, BOOL, "false", LOW, HIGH, NULL,
	"Copy nothing more to remote storage.", NULL)
KNOWN("remote.log.delete.on.disable", T, BOOL, "false", LOW, HIGH, NULL,
	"Delete remote records when remote storage is turned off.", NULL)
KNOWN("remote.log.index.file.cache.total.size.bytes", B, LONG, "1073741824", 1, HIGH, NULL,
	"Bytes of indexes kept from remote storage.", NULL)
KNOWN("remote.log.manager.copier.thread.pool.size", B, INT, "-1", LOW, HIGH, NULL,
	"Threads that copy to remote storage.", NULL)
KNOWN("remote.log.manager.copy.max.bytes.per.second", B, LONG, "9223372036854775807", 1, HIGH, NULL,
	"Most bytes a second copied to remote storage.", NULL)
KNOWN("remote.log.manager.copy.quota.window.num", B, INT, "11", 1, HIGH, NULL,
	"Samples kept for that quota.", NULL)
KNOWN("remote.log.manager.copy.quota.window.size.seconds", B, INT, "1", 1, HIGH, NULL,
	"Length of a sample of that quota.", NULL)
KNOWN("remote.log.manager.expiration.thread.pool.size", B, INT, "-1", LOW, HIGH, NULL,
	"Threads that delete from remote storage.", NULL)
KNOWN("remote.log.manager.fetch.max.bytes.per.second", B, LONG, "9223372036854775807", 1, HIGH,
	NULL, "Most bytes a second fetched from remote storage.", NULL)
KNOWN("remote.log.manager.fetch.quota.window.num", B, INT, "11", 1, HIGH, NULL,
	"Samples kept for that quota.", NULL)
KNOWN("remote.log.manager.fetch.quota.window.size.seconds", B, INT, "1", 1, HIGH, NULL,
	"Length of a sample of that quota.", NULL)
KNOWN("remote.log.manager.task.interval.ms", B, LONG, "30000", 1, HIGH, NULL,
	"Time between runs of remote storage's tasks.", NULL)
KNOWN("remote.log.manager.task.retry.backoff.max.ms", B, LONG, "30000", 1, HIGH, NULL,
	"Longest pause before such a task is tried again.", NULL)
KNOWN("remote.log.manager.task.retry.backoff.ms", B, LONG, "500", 1, HIGH, NULL,
	"First pause before such a task is tried again.", NULL)
KNOWN("remote.log.manager.task.retry.jitter", B, DOUBLE, "0.2", 0, 0.5, NULL,
	"Share by which that pause varies.", NULL)
KNOWN("remote.log.manager.thread.pool.size", B, INT, "10", 1, HIGH, NULL,
	"Threads of remote storage's tasks.", NULL)
KNOWN("remote.log.metadata.custom.metadata.max.bytes", B, INT, "128", 0, HIGH, NULL,
	"Most bytes of custom metadata of a remote segment.", NULL)
KNOWN("remote.log.metadata.manager.class.name", B, STRING,
	"org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
	LOW, HIGH, NULL, "Class that keeps the metadata of remote storage.", NULL)
KNOWN("remote.log.metadata.manager.class.path", B, STRING, NULL, LOW, HIGH, NULL,
	"Where to find that class.", NULL)
KNOWN("remote.log.metadata.manager.impl.prefix", B, STRING, "rlmm.config.", LOW, HIGH, NULL,
	"Prefix of the keys for that class.", NULL)
KNOWN("remote.log.metadata.manager.listener.name", B, STRING, NULL, LOW, HIGH, NULL,
	"Listener that class connects to.", NULL)
KNOWN("remote.log.reader.max.pending.tasks", B, INT, "100", 1, HIGH, NULL,
	"Most reads that wait for remote storage.", NULL)
KNOWN("remote.log.reader.threads", B, INT, "10", 1, HIGH, NULL,
	"Threads that read from remote storage.", NULL)
KNOWN("remote.log.storage.manager.class.name", B, STRING, NULL, LOW, HIGH, NULL,
	"Class that stores segments remotely.", NULL)
KNOWN("remote.log.storage.manager.class.path", B, STRING, NULL, LOW, HIGH, NULL,
	"Where to find that class.", NULL)
KNOWN("remote.log.storage.manager.impl.prefix", B, STRING, "rsm.config.", LOW, HIGH, NULL,
	"Prefix of the keys for that class.", NULL)
KNOWN("remote.log.storage.system.enable", B, BOOL, "false", LOW, HIGH, NULL,
	"Enable remote storage.", NULL)
KNOWN("remote.storage.enable", T, BOOL, "false", LOW, HIGH, NULL,
	"Keep old segments in remote storage.", NULL)
KNOWN("replica.fetch.backoff.ms", B, INT, "1000", 0, HIGH, NULL,
	"Pause of a follower after a failed fetch.", NULL)
KNOWN("replica.fetch.max.bytes", B, INT, "1048576", 0, HIGH, NULL,
	"Most bytes a follower asks for per partition.", NULL)
KNOWN("replica.fetch.min.bytes", B, INT, "1", LOW, HIGH, NULL,
	"Least bytes in the answer to a follower.", NULL)
KNOWN("replica.fetch.response.max.bytes", B, INT, "10485760", 0, HIGH, NULL,
	"Most bytes in the answer to a follower.", NULL)
KNOWN("replica.fetch.wait.max.ms", B, INT, "500", LOW, HIGH, NULL,
	"Longest wait of a follower's fetch.", NULL)
KEY("replica.high.watermark.checkpoint.interval.ms", B, LONG, "5000", LOW, HIGH, NULL,
	"Time between checkpoints of the high watermarks.", NULL)
KNOWN("replica.lag.time.max.ms", B, LONG, "30000", LOW, HIGH, NULL,
	"Lag after which a follower is out of sync.", NULL)
KNOWN("replica.selector.class", B, STRING, NULL, LOW, HIGH, NULL,
	"Class that chooses the replica to read from.", NULL)
KNOWN("replica.socket.receive.buffer.bytes", B, INT, "65536", LOW, HIGH, NULL,
	"Receive buffer of a follower's socket.", NULL)
KNOWN("replica.socket.timeout.ms", B, INT, "30000", LOW, HIGH, NULL,
	"Socket timeout of a follower.", NULL)
KNOWN("replication.quota.window.num", B, INT, "11", 1, HIGH, NULL,
	"Samples kept for the replication quotas.", NULL)
KNOWN("replication.quota.window.size.seconds", B, INT, "1", 1, HIGH, NULL,
	"Length of a sample of the replication quotas.", NULL)
KNOWN("request.timeout.ms", B, INT, "30000", LOW, HIGH, NULL,
	"Longest wait for the answer to a request.", NULL)
KEY("request.timeout.ms", A | P | C, INT, "30000", 0, HIGH, NULL,
	"Longest wait for the answer to a request.", NULL)
KNOWN("reserved.broker.max.id", B, INT, "1000", 0, HIGH, NULL,
	"Largest broker id that may be set by hand.", NULL)
KEY("retention.bytes", T, LONG, "-1", LOW, HIGH, NULL,
	"Bytes of a partition above which old segments go; -1 for no limit.", "log.retention.bytes")
KEY("retention.ms", T, LONG, "604800000", -1, HIGH, NULL, "How long records are kept; -1 for ever.",
	"log.retention.ms,log.retention.minutes*60000,log.retention.hours*3600000")
KEY("retries", A | P, INT, "2147483647", 0, HIGH, NULL, "How often a failed request is repeated.", NULL)
KEY("retry.backoff.max.ms", A | P | C, LONG, "1000", 0, HIGH, NULL,
	"Longest pause before a request is repeated.", NULL)
KEY("retry.backoff.ms", A | P | C, LONG, "100", 0, HIGH, NULL, "First pause before a request is repeated.",
	NULL)
