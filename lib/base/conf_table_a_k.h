/*
 * The keys from a to k, in order of their names; conf_table.c says what the
 * columns are. Names, types, defaults and ranges are those of Apache Kafka 3.9.
 */
/* clang-format off */
KEY("acks", P, STRING, "all", LOW, HIGH, "all|-1|0|1",
	"Acknowledgements to wait for: 0 none, 1 the leader's, all (or -1) those of the in-sync replicas.", NULL)
KEY("advertised.listeners", B, STRING, NULL, LOW, HIGH, NULL,
	"Where clients are told to connect, if not where the broker listens.", NULL)
KEY("allow.auto.create.topics", C, BOOL, "true", LOW, HIGH, NULL,
	"Let topics be made that are subscribed to and do not exist, if the broker does so.", NULL)
KNOWN("alter.config.policy.class.name", B, CLASS, NULL, LOW, HIGH, NULL,
	"Class that judges changes of configuration.", NULL)
KNOWN("alter.log.dirs.replication.quota.window.num", B, INT, "11", 1, HIGH, NULL,
	"Samples kept for the quota of moves between log directories.", NULL)
KNOWN("alter.log.dirs.replication.quota.window.size.seconds", B, INT, "1", 1, HIGH, NULL,
	"Length of a sample of that quota.", NULL)
KNOWN("authorizer.class.name", B, STRING, "", LOW, HIGH, NULL,
	"Class that decides who may do what.", NULL)
KEY("auto.commit.interval.ms", C, INT, "5000", 0, HIGH, NULL,
	"Time between automatic commits.", NULL)
KEY("auto.create.topics.enable", B, BOOL, "true", LOW, HIGH, NULL,
	"Create a topic when a client first asks for it.", NULL)
KNOWN("auto.include.jmx.reporter", B | A | P | C, BOOL, "true", LOW, HIGH, NULL,
	"Report metrics over JMX without being asked.", NULL)
KNOWN("auto.leader.rebalance.enable", B, BOOL, "true", LOW, HIGH, NULL,
	"Move leadership back to preferred replicas in the background.", NULL)
KEY("auto.offset.reset", C, STRING, "latest", LOW, HIGH, NULL,
	"Where to begin without a valid offset: earliest, latest, none (an error), or by_duration:P... (so long ago).", NULL)
KNOWN("background.threads", B, INT, "10", 1, HIGH, NULL, "Most threads for background work.", NULL)
KEY("batch.size", P, INT, "16384", 0, HIGH, NULL,
	"Bytes of records, before compression, that one batch of a partition takes.", NULL)
KNOWN("bootstrap.controllers", A, LIST, "", LOW, HIGH, NULL,
	"Controllers to connect to first, host:port each.", NULL)
KEY("bootstrap.servers", A | P | C, LIST, "", LOW, HIGH, NULL,
	"Brokers to connect to first, host:port each, or inproc://NAME.", NULL)
KNOWN("broker.heartbeat.interval.ms", B, INT, "2000", LOW, HIGH, NULL,
	"Time between heartbeats to the controller.", NULL)
KEY("broker.id", B, INT, "-1", LOW, HIGH, NULL,
	"The broker's number in its cluster; -1 takes the one on disk, or 0.", NULL)
KNOWN("broker.id.generation.enable", B, BOOL, "true", LOW, HIGH, NULL,
	"Let the cluster choose a broker id when none is set.", NULL)
KNOWN("broker.rack", B, STRING, NULL, LOW, HIGH, NULL, "The rack the broker stands in.", NULL)
KNOWN("broker.session.timeout.ms", B, INT, "9000", LOW, HIGH, NULL,
	"Time without heartbeats after which the controller drops the broker.", NULL)
KEY("buffer.memory", P, LONG, "33554432", 0, HIGH, NULL,
	"Bytes that records on their way may take; then sending blocks for max.block.ms.", NULL)
KEY("check.crcs", C, BOOL, "true", LOW, HIGH, NULL, "Check the checksums of record batches.", NULL)
KEY("cleanup.policy", T, LIST, "delete", LOW, HIGH, "compact|delete",
	"What becomes of old records: delete, compact or both.", "log.cleanup.policy")
KNOWN("client.dns.lookup", A | P | C, STRING, "use_all_dns_ips", LOW, HIGH,
	"use_all_dns_ips|resolve_canonical_bootstrap_servers_only",
	"How host names with several addresses are used.", NULL)
KEY("client.id", A | P | C, STRING, "", LOW, HIGH, NULL,
	"Name sent with each request, for the broker's logs.", NULL)
KNOWN("client.quota.callback.class", B, CLASS, NULL, LOW, HIGH, NULL,
	"Class that sets the quotas of clients.", NULL)
KEY("client.rack", C, STRING, "", LOW, HIGH, NULL,
	"Where the consumer stands, for brokers that let it read from a replica near it.", NULL)
KNOWN("compression.gzip.level", B | T, INT, "-1", LOW, HIGH, "-1|1|2|3|4|5|6|7|8|9",
	"Level of gzip where the broker compresses.", "compression.gzip.level")
KEY("compression.gzip.level", P, INT, "-1", -1, 9, NULL, "Level of gzip; -1 is its default.", NULL)
KNOWN("compression.lz4.level", B | T, INT, "9", 1, 17, NULL,
	"Level of lz4 where the broker compresses.", "compression.lz4.level")
KEY("compression.lz4.level", P, INT, "9", 1, 17, NULL, "Level of lz4.", NULL)
KEY("compression.type", B | T, STRING, "producer", LOW, HIGH,
	"uncompressed|zstd|lz4|snappy|gzip|producer",
	"Codec in which records are stored; producer keeps what arrives.", "compression.type")
KEY("compression.type", P, STRING, "none", LOW, HIGH, "none|gzip|snappy|lz4|zstd",
	"How batches are compressed.", NULL)
KNOWN("compression.zstd.level", B | T, INT, "3", -131072, 22, NULL,
	"Level of zstd where the broker compresses.", "compression.zstd.level")
KEY("compression.zstd.level", P, INT, "3", -131072, 22, NULL, "Level of zstd.", NULL)
KNOWN("connection.failed.authentication.delay.ms", B, INT, "100", 0, HIGH, NULL,
	"Delay before a connection that failed to authenticate is closed.", NULL)
KEY("connections.max.idle.ms", A, LONG, "300000", LOW, HIGH, NULL,
	"Close a connection that was not used for this long.", NULL)
KEY("connections.max.idle.ms", B, LONG, "600000", LOW, HIGH, NULL,
	"Close a connection that was not used for this long.", NULL)
KEY("connections.max.idle.ms", P | C, LONG, "540000", LOW, HIGH, NULL,
	"Close a connection that was not used for this long.", NULL)
KNOWN("connections.max.reauth.ms", B, LONG, "0", LOW, HIGH, NULL,
	"Longest time before a client has to authenticate again; 0 for never.", NULL)
KNOWN("control.plane.listener.name", B, STRING, NULL, LOW, HIGH, NULL,
	"Listener for the controller's requests.", NULL)
KNOWN("controlled.shutdown.enable", B, BOOL, "true", LOW, HIGH, NULL,
	"Hand leadership over before stopping.", NULL)
KNOWN("controlled.shutdown.max.retries", B, INT, "3", LOW, HIGH, NULL,
	"How often that hand-over is tried.", NULL)
KNOWN("controlled.shutdown.retry.backoff.ms", B, LONG, "5000", LOW, HIGH, NULL,
	"Pause between the tries of the hand-over.", NULL)
KNOWN("controller.listener.names", B, STRING, NULL, LOW, HIGH, NULL,
	"Listeners of the controllers.", NULL)
KNOWN("controller.quorum.append.linger.ms", B, INT, "25", LOW, HIGH, NULL,
	"How long the quorum's leader gathers writes.", NULL)
KNOWN("controller.quorum.bootstrap.servers", B, LIST, "", LOW, HIGH, NULL,
	"Where to find the quorum first, host:port each.", NULL)
KNOWN("controller.quorum.election.backoff.max.ms", B, INT, "1000", LOW, HIGH, NULL,
	"Longest pause after a lost election of the quorum.", NULL)
KNOWN("controller.quorum.election.timeout.ms", B, INT, "1000", LOW, HIGH, NULL,
	"Time without a leader before the quorum elects again.", NULL)
KNOWN("controller.quorum.fetch.timeout.ms", B, INT, "2000", LOW, HIGH, NULL,
	"Time without fetching from the quorum's leader before an election.", NULL)
KNOWN("controller.quorum.request.timeout.ms", B, INT, "2000", LOW, HIGH, NULL,
	"Longest wait for an answer within the quorum.", NULL)
KNOWN("controller.quorum.retry.backoff.ms", B, INT, "20", LOW, HIGH, NULL,
	"Pause before a request of the quorum is repeated.", NULL)
KNOWN("controller.quorum.voters", B, LIST, "", LOW, HIGH, NULL,
	"The quorum's voters, id@host:port each.", NULL)
KNOWN("controller.quota.window.num", B, INT, "11", 1, HIGH, NULL,
	"Samples kept for the quota of topic changes.", NULL)
KNOWN("controller.quota.window.size.seconds", B, INT, "1", 1, HIGH, NULL,
	"Length of a sample of that quota.", NULL)
KNOWN("controller.socket.timeout.ms", B, INT, "30000", LOW, HIGH, NULL,
	"Socket timeout between controller and brokers.", NULL)
KNOWN("create.topic.policy.class.name", B, CLASS, NULL, LOW, HIGH, NULL,
	"Class that judges new topics.", NULL)
KEY("default.api.timeout.ms", A | C, INT, "60000", 0, HIGH, NULL, "Deadline of a call that names none.",
	NULL)
KEY("default.replication.factor", B, INT, "1", LOW, HIGH, NULL,
	"Replicas of a topic that is created without saying how many.", NULL)
KNOWN("delegation.token.expiry.check.interval.ms", B, LONG, "3600000", 1, HIGH, NULL,
	"Time between looks for expired delegation tokens.", NULL)
KNOWN("delegation.token.expiry.time.ms", B, LONG, "86400000", 1, HIGH, NULL,
	"Life of a delegation token unless renewed.", NULL)
KNOWN("delegation.token.master.key", B, PASSWORD, NULL, LOW, HIGH, NULL,
	"Old name of delegation.token.secret.key.", NULL)
KNOWN("delegation.token.max.lifetime.ms", B, LONG, "604800000", 1, HIGH, NULL,
	"Longest life of a delegation token.", NULL)
KNOWN("delegation.token.secret.key", B, PASSWORD, NULL, LOW, HIGH, NULL,
	"Secret that signs delegation tokens.", NULL)
KNOWN("delete.records.purgatory.purge.interval.requests", B, INT, "1", LOW, HIGH, NULL,
	"Requests between purges of waiting DeleteRecords.", NULL)
KEY("delete.retention.ms", T, LONG, "86400000", 0, HIGH, NULL,
	"How long compaction keeps a tombstone.", "log.cleaner.delete.retention.ms")
KEY("delete.topic.enable", B, BOOL, "true", LOW, HIGH, NULL, "Allow topics to be deleted.", NULL)
KEY("delivery.timeout.ms", P, INT, "120000", 0, HIGH, NULL,
	"Longest time from sending a record to its report, retries included.", NULL)
KNOWN("early.start.listeners", B, STRING, NULL, LOW, HIGH, NULL,
	"Listeners that open before the broker is ready.", NULL)
KNOWN("eligible.leader.replicas.enable", B, BOOL, "false", LOW, HIGH, NULL,
	"Keep eligible leader replicas.", NULL)
KEY("enable.auto.commit", C, BOOL, "true", LOW, HIGH, NULL,
	"Commit in the background what earlier polls have brought.", NULL)
KEY("enable.idempotence", P, BOOL, "true", LOW, HIGH, NULL,
	"Let the broker drop what a retry repeats; unset, it is off where acks, retries or the requests in flight forbid it.", NULL)
KNOWN("enable.metrics.push", A | P | C, BOOL, "true", LOW, HIGH, NULL,
	"Push the client's metrics to the cluster.", NULL)
KEY("exclude.internal.topics", C, BOOL, "true", LOW, HIGH, NULL,
	"Leave internal topics out of what a pattern subscribes to.", NULL)
KEY("fetch.max.bytes", B, INT, "57671680", 1024, HIGH, NULL,
	"Most bytes in the answer to one fetch.", NULL)
KEY("fetch.max.bytes", C, INT, "52428800", 0, HIGH, NULL,
	"Most bytes of an answer to a fetch, but for a first batch that is larger.", NULL)
KEY("fetch.max.wait.ms", C, INT, "500", 0, HIGH, NULL,
	"How long a broker may wait for fetch.min.bytes.", NULL)
KEY("fetch.min.bytes", C, INT, "1", 0, HIGH, NULL, "Least bytes worth an answer to a fetch.", NULL)
KNOWN("fetch.purgatory.purge.interval.requests", B, INT, "1000", LOW, HIGH, NULL,
	"Requests between purges of waiting fetches.", NULL)
KEY("file.delete.delay.ms", T, LONG, "60000", 0, HIGH, NULL,
	"How long the files of a deleted segment stay.", "log.segment.delete.delay.ms")
KEY("flush.messages", T, LONG, "9223372036854775807", 1, HIGH, NULL,
	"Records after which a log is flushed to the disk; with 1 only what is on the disk is acknowledged, as with mq.flush.before.ack; with more nothing waits for it.",
	"log.flush.interval.messages")
KEY("flush.ms", T, LONG, "9223372036854775807", 0, HIGH, NULL,
	"Time after which a log with unflushed records is flushed.",
	"log.flush.interval.ms,log.flush.scheduler.interval.ms")
KNOWN("follower.replication.throttled.replicas", T, LIST, "", LOW, HIGH, NULL,
	"Replicas whose followers are throttled.", NULL)
KNOWN("group.consumer.assignors", B, LIST,
	"org.apache.kafka.coordinator.group.assignor.UniformAssignor,org.apache.kafka.coordinator.group.assignor.RangeAssignor",
	LOW, HIGH, NULL, "Assignors on the broker's side for consumer groups.", NULL)
KNOWN("group.consumer.heartbeat.interval.ms", B, INT, "5000", 1, HIGH, NULL,
	"Heartbeat interval given to members of consumer groups.", NULL)
KNOWN("group.consumer.max.heartbeat.interval.ms", B, INT, "15000", 1, HIGH, NULL,
	"Longest heartbeat interval of a consumer group.", NULL)
KNOWN("group.consumer.max.session.timeout.ms", B, INT, "60000", 1, HIGH, NULL,
	"Longest session timeout of a consumer group.", NULL)
KNOWN("group.consumer.max.size", B, INT, "2147483647", 1, HIGH, NULL,
	"Most members of a consumer group.", NULL)
KNOWN("group.consumer.migration.policy", B, STRING, "disabled", LOW, HIGH,
	"~DISABLED|DOWNGRADE|UPGRADE|BIDIRECTIONAL",
	"Which groups may change to the other protocol.", NULL)
KNOWN("group.consumer.min.heartbeat.interval.ms", B, INT, "5000", 1, HIGH, NULL,
	"Shortest heartbeat interval of a consumer group.", NULL)
KNOWN("group.consumer.min.session.timeout.ms", B, INT, "45000", 1, HIGH, NULL,
	"Shortest session timeout of a consumer group.", NULL)
KNOWN("group.consumer.session.timeout.ms", B, INT, "45000", 1, HIGH, NULL,
	"Session timeout of members of consumer groups.", NULL)
KNOWN("group.coordinator.append.linger.ms", B, INT, "10", 0, HIGH, NULL,
	"How long the group coordinator gathers writes.", NULL)
KNOWN("group.coordinator.new.enable", B, BOOL, "false", LOW, HIGH, NULL,
	"Use the newer group coordinator.", NULL)
KNOWN("group.coordinator.rebalance.protocols", B, LIST, "classic", LOW, HIGH,
	"consumer|classic|share|unknown", "Group protocols that are enabled.", NULL)
KNOWN("group.coordinator.threads", B, INT, "1", 1, HIGH, NULL, "Threads of the group coordinator.",
	NULL)
KEY("group.id", C, STRING, NULL, LOW, HIGH, NULL,
	"The consumer group that shares the topics out and keeps the offsets.", NULL)
KEY("group.initial.rebalance.delay.ms", B, INT, "3000", LOW, HIGH, NULL,
	"How long an empty group waits for more members once the first one has come.", NULL)
KEY("group.instance.id", C, STRING, NULL, LOW, HIGH, NULL,
	"The name of a static member, which may be away for session.timeout.ms without a rebalance.", NULL)
KEY("group.max.session.timeout.ms", B, INT, "1800000", LOW, HIGH, NULL,
	"Longest session timeout a member may ask for.", NULL)
KEY("group.max.size", B, INT, "2147483647", 1, HIGH, NULL, "Most members of a group.", NULL)
KEY("group.min.session.timeout.ms", B, INT, "6000", LOW, HIGH, NULL,
	"Shortest session timeout a member may ask for.", NULL)
KNOWN("group.protocol", C, STRING, "classic", LOW, HIGH, "~CLASSIC|CONSUMER",
	"The protocol of groups; libmq speaks classic.", NULL)
KNOWN("group.remote.assignor", C, STRING, NULL, LOW, HIGH, NULL,
	"Assignor of the broker, for group.protocol=consumer.", NULL)
KNOWN("group.share.delivery.count.limit", B, INT, "5", 2, 10, NULL,
	"Most deliveries of a record to a share group.", NULL)
KNOWN("group.share.enable", B, BOOL, "false", LOW, HIGH, NULL, "Enable share groups.", NULL)
KNOWN("group.share.heartbeat.interval.ms", B, INT, "5000", 1, HIGH, NULL,
	"Heartbeat interval of a share group.", NULL)
KNOWN("group.share.max.groups", B, SHORT, "10", 1, 100, NULL, "Most share groups.", NULL)
KNOWN("group.share.max.heartbeat.interval.ms", B, INT, "15000", 1, HIGH, NULL,
	"Longest heartbeat interval of a share group.", NULL)
KNOWN("group.share.max.record.lock.duration.ms", B, INT, "60000", 30000, 3600000, NULL,
	"Longest time a share group may hold a record.", NULL)
KNOWN("group.share.max.session.timeout.ms", B, INT, "60000", 1, HIGH, NULL,
	"Longest session timeout of a share group.", NULL)
KNOWN("group.share.max.size", B, SHORT, "200", 10, 1000, NULL, "Most members of a share group.",
	NULL)
KNOWN("group.share.min.heartbeat.interval.ms", B, INT, "5000", 1, HIGH, NULL,
	"Shortest heartbeat interval of a share group.", NULL)
KNOWN("group.share.min.record.lock.duration.ms", B, INT, "15000", 1000, 30000, NULL,
	"Shortest time a share group may hold a record.", NULL)
KNOWN("group.share.min.session.timeout.ms", B, INT, "45000", 1, HIGH, NULL,
	"Shortest session timeout of a share group.", NULL)
KNOWN("group.share.partition.max.record.locks", B, INT, "200", 100, 10000, NULL,
	"Most records of a partition held by a share group.", NULL)
KNOWN("group.share.record.lock.duration.ms", B, INT, "30000", 1000, 60000, NULL,
	"How long a share group holds a record.", NULL)
KNOWN("group.share.session.timeout.ms", B, INT, "45000", 1, HIGH, NULL,
	"Session timeout of a share group.", NULL)
KEY("heartbeat.interval.ms", C, INT, "3000", LOW, HIGH, NULL,
	"Time between heartbeats to the group's coordinator.", NULL)
KEY("index.interval.bytes", T, INT, "4096", 0, HIGH, NULL,
	"Bytes of log between two entries of the offset index.", "log.index.interval.bytes")
KNOWN("initial.broker.registration.timeout.ms", B, INT, "60000", LOW, HIGH, NULL,
	"How long the first registration may take.", NULL)
KNOWN("inter.broker.listener.name", B, STRING, NULL, LOW, HIGH, NULL,
	"Listener the brokers use among themselves.", NULL)
KNOWN("inter.broker.protocol.version", B, STRING, "3.9-IV0", LOW, HIGH, NULL,
	"Protocol version between brokers of different releases.", NULL)
KNOWN("interceptor.classes", P | C, LIST, "", LOW, HIGH, NULL, "Java's interceptors.", NULL)
KEY("isolation.level", C, STRING, "read_uncommitted", LOW, HIGH, "read_committed|read_uncommitted",
	"Whether records of open and aborted transactions are read.", NULL)
KNOWN("kafka.metrics.polling.interval.secs", B, INT, "10", 1, HIGH, NULL,
	"Interval of the old metrics reporters.", NULL)
KNOWN("kafka.metrics.reporters", B, LIST, "", LOW, HIGH, NULL, "Classes of old metrics reporters.",
	NULL)
KNOWN("key.deserializer", C, CLASS, NULL, LOW, HIGH, NULL, "Class that makes keys of bytes.", NULL)
KNOWN("key.serializer", P, CLASS, NULL, LOW, HIGH, NULL, "Class that turns keys into bytes.", NULL)
