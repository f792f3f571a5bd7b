/*
 * What the nodes of the cluster's tree contain: Kafka's JSON, written and read.
 * Paths and contents are those of Kafka 2.8 (kafka.zk.ZkData).
 */
#ifndef MQ_BROKER_ZNODES_H
#define MQ_BROKER_ZNODES_H

#include <stdint.h>

#include <mq/config.h>
#include <mq/error.h>

#include "base/buf.h"
#include "cluster/cluster.h"
#include "protocol/field.h"

#define MQ_ZNODE_TOPICS         "/brokers/topics"
#define MQ_ZNODE_TOPIC_CONFIGS  "/config/topics"
#define MQ_ZNODE_BROKER_CONFIGS "/config/brokers"
#define MQ_ZNODE_DELETE_TOPICS  "/admin/delete_topics"
#define MQ_ZNODE_PRODUCER_IDS   "/latest_producer_id_block"

/* /brokers/topics/T: partitions 0 to n-1, each on the one broker. */
struct mq_znode_topic {
	struct mq_uuid id; /* zero: none was written */
	int32_t n_partitions;
};

void mq_znode_put_topic(struct mq_buf *out, const struct mq_znode_topic *topic, int32_t broker_id);
mq_err mq_znode_get_topic(mq_bytes json, struct mq_znode_topic *topic);

/* /brokers/topics/T/partitions/P/state */
void mq_znode_put_state(struct mq_buf *out, int32_t leader, int32_t leader_epoch);
mq_err mq_znode_get_state(mq_bytes json, int32_t *leader_epoch);

/* /config/...: the keys set in conf. Reading sets them in conf; a key or value
 * this version does not accept is told to refused and left out. */
mq_err mq_znode_put_config(struct mq_buf *out, const mq_conf *conf);
mq_err mq_znode_get_config(mq_bytes json, mq_conf *conf,
			   void (*refused)(void *arg, const char *text), void *arg);

/* /latest_producer_id_block */
void mq_znode_put_producer_block(struct mq_buf *out, int32_t broker_id, int64_t first,
				 int64_t last);
mq_err mq_znode_get_producer_block(mq_bytes json, int64_t *last);

/*
 * Many nodes to be put in one transaction. The caller writes each node's
 * content to text between begin and end, and checks at the commit.
 */
struct mq_znode_puts {
	struct mq_buf text; /* path NUL content NUL ... */
	size_t n;
};

void mq_znode_puts_init(struct mq_znode_puts *puts);
void mq_znode_puts_deinit(struct mq_znode_puts *puts);
void mq_znode_puts_begin(struct mq_znode_puts *puts, const char *path_fmt, ...)
    __attribute__((format(printf, 2, 3)));
void mq_znode_puts_end(struct mq_znode_puts *puts);
/* Nothing was put: nothing is done. */
mq_err mq_znode_puts_commit(struct mq_znode_puts *puts, struct mq_cluster *cluster,
			    mq_error *error);

#endif
