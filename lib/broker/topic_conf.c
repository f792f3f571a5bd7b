/* The configuration a topic really has: its own keys, the broker's, defaults. */
#include "broker/registry.h"

#include "base/conf.h"
#include "record/codec.h"

#include <assert.h>
#include <strings.h>

static unsigned cleanup_policy(const char *list)
{
	unsigned policy = 0;
	mq_bytes item;

	while (mq_conf_list_next(&list, &item))
		policy |=
		    mq_bytes_eq(item, mq_str("compact")) ? MQ_CLEANUP_COMPACT : MQ_CLEANUP_DELETE;
	return policy;
}

static const struct {
	const char *name;
	int codec;
	const char *level_key;
} codecs[] = {
    {"producer", MQ_COMPRESSION_PRODUCER, NULL},
    {"uncompressed", MQ_COMPRESSION_NONE, NULL},
    {"gzip", MQ_COMPRESSION_GZIP, "compression.gzip.level"},
    {"snappy", MQ_COMPRESSION_SNAPPY, NULL},
    {"lz4", MQ_COMPRESSION_LZ4, "compression.lz4.level"},
    {"zstd", MQ_COMPRESSION_ZSTD, "compression.zstd.level"},
};

static void resolve_compression(const mq_conf *broker, const mq_conf *topic,
				struct mq_topic_conf *out)
{
	struct mq_conf_value value;

	mq_conf_topic_get(broker, topic, "compression.type", &value);
	out->compression = MQ_COMPRESSION_PRODUCER;
	out->compression_level = MQ_COMPRESSION_LEVEL;
	for (size_t i = 0; i < mq_array_size(codecs); i++) {
		if (strcasecmp(value.text, codecs[i].name) != 0)
			continue;
		out->compression = codecs[i].codec;
		if (codecs[i].level_key && mq_conf_key_find(MQ_ROLE_TOPIC, codecs[i].level_key))
			out->compression_level =
			    mq_conf_topic_int(broker, topic, codecs[i].level_key);
	}
}

static void resolve_log(const mq_conf *broker, const mq_conf *topic, struct mq_log_conf *log)
{
	struct mq_conf_value value;

	mq_conf_topic_get(broker, topic, "cleanup.policy", &value);
	log->cleanup_policy = cleanup_policy(value.text);
	log->segment_bytes = mq_conf_topic_int(broker, topic, "segment.bytes");
	log->segment_ms = mq_conf_topic_long(broker, topic, "segment.ms");
	log->segment_jitter_ms = mq_conf_topic_long(broker, topic, "segment.jitter.ms");
	log->index_interval_bytes = mq_conf_topic_int(broker, topic, "index.interval.bytes");
	log->segment_index_bytes = mq_conf_topic_int(broker, topic, "segment.index.bytes");
	log->retention_ms = mq_conf_topic_long(broker, topic, "retention.ms");
	log->retention_bytes = mq_conf_topic_long(broker, topic, "retention.bytes");
	log->file_delete_delay_ms = mq_conf_topic_long(broker, topic, "file.delete.delay.ms");
	log->delete_retention_ms = mq_conf_topic_long(broker, topic, "delete.retention.ms");
	log->min_compaction_lag_ms = mq_conf_topic_long(broker, topic, "min.compaction.lag.ms");
	log->max_compaction_lag_ms = mq_conf_topic_long(broker, topic, "max.compaction.lag.ms");
	log->min_cleanable_dirty_ratio =
	    mq_conf_topic_double(broker, topic, "min.cleanable.dirty.ratio");
	log->flush_messages = mq_conf_topic_long(broker, topic, "flush.messages");
	log->flush_ms = mq_conf_topic_long(broker, topic, "flush.ms");
	log->max_message_bytes = mq_conf_topic_int(broker, topic, "max.message.bytes");
	log->preallocate = mq_conf_topic_bool(broker, topic, "preallocate");
	/* Kafka syncs within the append that completes the interval, so that there an
	 * interval of 1 means the same (UnifiedLog.append). */
	log->flush_before_ack = mq_conf_topic_bool(broker, topic, "mq.flush.before.ack") ||
				log->flush_messages == 1;
	log->producer_id_expiration_ms = mq_conf_int(broker, "producer.id.expiration.ms");
}

/* message.timestamp.difference.max.ms, deprecated by KIP-937, still bounds both
 * sides where the newer key of that side was not set. */
static int64_t timestamp_bound(const mq_conf *broker, const mq_conf *topic, const char *key)
{
	struct mq_conf_value old, new;

	mq_conf_topic_get(broker, topic, key, &new);
	mq_conf_topic_get(broker, topic, "message.timestamp.difference.max.ms", &old);
	if (new.source == MQ_CONF_FROM_DEFAULT && old.source != MQ_CONF_FROM_DEFAULT)
		return mq_conf_topic_long(broker, topic, "message.timestamp.difference.max.ms");
	return mq_conf_topic_long(broker, topic, key);
}

void mq_topic_conf_resolve(const mq_conf *broker, const mq_conf *topic, struct mq_topic_conf *out)
{
	struct mq_conf_value value;

	*out = (struct mq_topic_conf){0};
	resolve_log(broker, topic, &out->log);
	resolve_compression(broker, topic, out);
	mq_conf_topic_get(broker, topic, "message.timestamp.type", &value);
	out->log_append_time = strcasecmp(value.text, "LogAppendTime") == 0;
	out->timestamp_before_max_ms =
	    timestamp_bound(broker, topic, "message.timestamp.before.max.ms");
	out->timestamp_after_max_ms =
	    timestamp_bound(broker, topic, "message.timestamp.after.max.ms");
	out->isr_min = mq_conf_topic_int(broker, topic, "min.insync.replicas");
	out->down_convert = mq_conf_topic_bool(broker, topic, "message.downconversion.enable");
}
