/*
 * What the files of the broker core share: the core itself, its topics, calls
 * that wait, and small helpers of the handlers.
 *
 * A handler is called without the lock, on the thread that brought the call.
 * It takes the lock for moments:
 *
 *     struct mq_list tasks;
 *     mq_core_enter(core, &tasks);          -- lock
 *     ... look up, change, wait ...
 *     mq_core_leave(core, &tasks);          -- unlock, then what became ready
 *
 * and answers with mq_core_answer(), at once or later, never with the lock held.
 * [L] marks functions that want the lock, [U] those that must be called without.
 */
#ifndef MQ_BROKER_INTERNAL_H
#define MQ_BROKER_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <mq/config.h>
#include <mq/error.h>

#include "base/conf.h"
#include "base/deadline.h"
#include "base/list.h"
#include "base/logger.h"
#include "base/map.h"
#include "broker/core.h"
#include "coordinator/txn.h"
#include "env/env.h"
#include "log/store.h"
#include "net/call.h"
#include "protocol/field.h"
#include "record/codec.h"
#include "replica/partition.h"

/* What a caller may do, as bits of Kafka's operations (KIP-430): without an authorizer
 * everything there is for that kind of thing. */
#define MQ_CLUSTER_OPERATIONS 0x1fa0 /* all but Read, Write and Delete */
#define MQ_TOPIC_OPERATIONS   0xdf8  /* all but ClusterAction and IdempotentWrite */

struct mq_cluster;
struct mq_registry;
struct mq_producer_ids;
struct mq_sessions;

/* --- topics ---------------------------------------------------------------- */

#define MQ_COMPRESSION_PRODUCER (-1) /* compression.type=producer: keep the client's codec */

/* The effective configuration of a topic. */
struct mq_topic_conf {
	struct mq_log_conf log; /* with max_message_bytes, cleanup_policy, flush_before_ack */
	bool log_append_time;   /* message.timestamp.type */
	int64_t timestamp_before_max_ms, timestamp_after_max_ms; /* INT64_MAX: any */
	int compression;       /* enum mq_compression or MQ_COMPRESSION_PRODUCER */
	int compression_level; /* MQ_COMPRESSION_LEVEL: the codec's own */
	int32_t isr_min;       /* min.insync.replicas */
	bool down_convert;     /* message.downconversion.enable */
};

/*
 * A topic. Found under the lock; whoever leaves the lock with one holds a
 * reference, and thereby keeps the partitions and their logs. Partitions are
 * only added. Deleting: take it out of the maps and lose its partitions [L],
 * then drop the maps' reference [U]; when the last one goes, retired() runs,
 * and may hand the logs to mq_store_delete().
 */
struct mq_topic {
	_Atomic int refs;
	char *name;
	mq_bytes name_bytes; /* the same */
	struct mq_uuid id;
	bool internal;
	struct mq_topic_conf conf;        /* [L] */
	struct mq_conf *overrides;        /* [L] what was set for the topic; owned; may be NULL */
	int32_t n_partitions;             /* [L] */
	struct mq_partition **partitions; /* [L] the array; what it points to stays */
	void (*retired)(struct mq_core *core, struct mq_topic *topic); /* [U]; then it is freed */
};

/* topic.c. The topics in which coordinators keep their state. */
bool mq_topic_is_internal(mq_bytes name);
/* A new topic without partitions and with one reference. NULL: out of memory. */
struct mq_topic *mq_topic_new(struct mq_core *core, mq_bytes name, const struct mq_uuid *id);
/* Adds the next partition, led by this broker; the log is open. [L] once known. */
mq_err mq_topic_add(struct mq_core *core, struct mq_topic *topic, struct mq_log *log,
		    const int32_t *replicas, int32_t n_replicas, int32_t leader_epoch);
/* [L] Puts it into both maps (which take over the caller's reference), or out of
 * them (the reference goes to the caller). */
mq_err mq_topic_link(struct mq_core *core, struct mq_topic *topic);
void mq_topic_unlink(struct mq_core *core, struct mq_topic *topic);
/* [L] Finds; a reference for the caller, NULL when there is none. */
struct mq_topic *mq_topic_find(struct mq_core *core, mq_bytes name);
struct mq_topic *mq_topic_find_id(struct mq_core *core, const struct mq_uuid *id);
void mq_topic_ref(struct mq_topic *topic);
void mq_topic_unref(struct mq_core *core, struct mq_topic *topic); /* [U]; NULL is allowed */
/* [L] NULL when the topic has no such partition. */
struct mq_partition *mq_topic_part(const struct mq_topic *topic, int32_t index);

/* topics.c (the registry): the cluster's view of the topics. */
/* Opens core->cluster in directories that are locked: what the store's args->locked
 * is to call, before it asks for the configuration of topics. */
mq_err mq_topics_open_cluster(struct mq_core *core, const char *const *dirs, int n_dirs,
			      mq_error *error);
/* The store is open: makes the topics. Nobody calls yet; without the lock. */
mq_err mq_topics_open(struct mq_core *core, mq_error *error);
/* The configuration of a topic by name, overrides and defaults resolved. Any thread,
 * lock or not; called during mq_store_open() and mq_store_create(). */
void mq_topics_conf(struct mq_core *core, const char *name, struct mq_topic_conf *out);
/* Closes the cluster; also after an opening that failed half-way. The topics are
 * unlinked by the core, after this. */
void mq_topics_close(struct mq_core *core);

/* --- calls that wait ---------------------------------------------------------- */

/*
 * A call that is answered later. end() [L] is called at most once, when the wait
 * must end for a reason of the core's: MQ_E_TIMED_OUT its time is over,
 * MQ_E_DISCONNECTED the peer has gone, MQ_E_CLOSED the core stops. It is off the
 * lists then. It adds a task that answers (or for DISCONNECTED just
 * calls done), or returns false: the answer is on its way elsewhere.
 */
struct mq_wait {
	struct mq_core *core;
	struct mq_call *call;
	struct mq_list node;
	struct mq_deadline deadline;
	bool waiting;
	bool (*end)(struct mq_wait *wait, mq_err why, struct mq_list *tasks);
};

/* wait.c, all [L]. due_us INT64_MAX: no deadline. MQ_E_CLOSED when the core stops,
 * MQ_E_DISCONNECTED when the peer has gone, MQ_E_NOMEM; the caller then answers itself. */
mq_err mq_wait_start(struct mq_core *core, struct mq_wait *wait, struct mq_call *call,
		     int64_t due_us);
/* The call's own reason has come: off the lists. False when it was not waiting. */
bool mq_wait_stop(struct mq_wait *wait);
/* [U] The service's cancel(). */
bool mq_wait_cancel(struct mq_service *service, struct mq_call *call);
/* The core stops: all of them. */
void mq_wait_end_all(struct mq_core *core, struct mq_list *tasks);

/* --- the core ----------------------------------------------------------------- */

/* Broker keys, parsed once. */
struct mq_core_conf {
	int64_t fetch_bytes_max;    /* fetch.max.bytes */
	int32_t partitions_default; /* num.partitions */
	int32_t replication_default;
	bool auto_create_topics, delete_topics;
	bool verify_transactions; /* transaction.partition.verification.enable */
	int transaction_version;  /* mq.transaction.version */
	int64_t features_epoch;   /* grows from start to start, when features may change */
};

/* A batch of a transaction that was sent away for a while, in a partition that may know
 * nothing of its producer (produce_txn.c). */
struct mq_sent_away {
	struct mq_uuid topic_id;
	int32_t partition, sequence;
	int64_t producer_id;
	int16_t epoch;
};

/* That many are remembered, the latest ones. */
#define MQ_SENT_AWAY_MAX 64

struct mq_core {
	struct mq_service service;
	struct mq_shard shard;
	struct mq_env *env;
	struct mq_logger logger;
	const struct mq_conf *conf;
	struct mq_core_conf settings;
	void (*rearm)(void *arg, int64_t due_us);
	void *rearm_arg;

	_Atomic bool stopping;
	struct mq_mutex lock; /* guards all below */
	struct mq_store *store;
	struct mq_cluster *cluster;
	struct mq_registry *registry; /* topics.c */
	int32_t broker_id;
	const char *cluster_id;      /* the store's */
	struct mq_map topics;        /* by name */
	struct mq_topic *last_topic; /* that was found by name; not a reference; may be NULL */
	struct mq_map topic_ids;     /* by id */
	struct mq_list waiting;      /* struct mq_wait */
	struct mq_deadlines deadlines;
	int64_t store_due_us; /* what the store last said */
	int64_t armed_us;     /* what rearm() or a tick last said */
	int n_joining;        /* Produce requests with partitions that join transactions */
	struct mq_sent_away sent_away[MQ_SENT_AWAY_MAX];
	unsigned n_sent_away, next_sent_away;
	struct mq_endpoint *endpoints;
	int n_endpoints;
	struct mq_sessions *sessions;
	struct mq_producer_ids *producer_ids;
	struct mq_txns *txns;
	struct mq_groups *groups;
	struct mq_list scratches; /* spare codec memory */
	int n_scratches;
	int n_jobs; /* on workers */
	struct mq_cond jobs_done;
};

void mq_core_enter(struct mq_core *core, struct mq_list *tasks);
void mq_core_leave(struct mq_core *core, struct mq_list *tasks);

/* [U] Finishes a call. response NULL: out of memory, the call fails with
 * MQ_E_NOMEM. Nothing that lives in the call's arena may be touched after. */
void mq_core_answer(struct mq_call *call, void *response);
void mq_core_fail(struct mq_call *call, mq_err err) MQ_COLD;

/* [U] Runs job->run(job) on a worker. Close waits for it. MQ_E_FULL, MQ_E_CLOSED:
 * it will not run. The job may free itself. */
struct mq_job {
	struct mq_core *core;
	void (*run)(struct mq_job *job);
};
mq_err mq_core_submit(struct mq_core *core, struct mq_job *job);
/* [U] For jobs that are submitted in another way: close waits until as many have
 * ended as have begun. */
void mq_core_job_begun(struct mq_core *core);
void mq_core_job_ended(struct mq_core *core);

/* The advertised address for a listener; NULL when the core has none. [L] */
const struct mq_endpoint *mq_core_endpoint(const struct mq_core *core, const char *listener);

/* The error code for the wire: Kafka's own as they are, KAFKA_STORAGE_ERROR for
 * the disk's, UNKNOWN_SERVER_ERROR for the rest. */
int16_t mq_wire_code(mq_err err);

/* [U] Codec memory, one user at a time; NULL when out of memory. */
struct mq_codec_scratch *mq_core_scratch_get(struct mq_core *core);
void mq_core_scratch_put(struct mq_core *core, struct mq_codec_scratch *scratch);

/* --- dispatch ------------------------------------------------------------------ */

struct mq_handler {
	int16_t key, min, max;
	void (*handle)(struct mq_core *core, struct mq_call *call); /* [U] */
};

/* All of them, by key. */
const struct mq_handler *mq_handlers(int *n);
/* The service's handle(). */
void mq_dispatch(struct mq_service *service, struct mq_call *call);

void mq_handle_produce(struct mq_core *core, struct mq_call *call);
void mq_handle_fetch(struct mq_core *core, struct mq_call *call);
void mq_handle_list_offsets(struct mq_core *core, struct mq_call *call);
void mq_handle_metadata(struct mq_core *core, struct mq_call *call);
void mq_handle_find_coordinator(struct mq_core *core, struct mq_call *call);
void mq_handle_join_group(struct mq_core *core, struct mq_call *call);
void mq_handle_sync_group(struct mq_core *core, struct mq_call *call);
void mq_handle_heartbeat(struct mq_core *core, struct mq_call *call);
void mq_handle_leave_group(struct mq_core *core, struct mq_call *call);
void mq_handle_offset_commit(struct mq_core *core, struct mq_call *call);
void mq_handle_offset_fetch(struct mq_core *core, struct mq_call *call);
void mq_handle_offset_delete(struct mq_core *core, struct mq_call *call);
void mq_handle_list_groups(struct mq_core *core, struct mq_call *call);
void mq_handle_describe_groups(struct mq_core *core, struct mq_call *call);
void mq_handle_delete_groups(struct mq_core *core, struct mq_call *call);
void mq_handle_api_versions(struct mq_core *core, struct mq_call *call);
void mq_handle_create_topics(struct mq_core *core, struct mq_call *call);
void mq_handle_delete_topics(struct mq_core *core, struct mq_call *call);
void mq_handle_delete_records(struct mq_core *core, struct mq_call *call);
void mq_handle_init_producer_id(struct mq_core *core, struct mq_call *call);
void mq_handle_add_partitions_to_txn(struct mq_core *core, struct mq_call *call);
void mq_handle_add_offsets_to_txn(struct mq_core *core, struct mq_call *call);
void mq_handle_end_txn(struct mq_core *core, struct mq_call *call);
void mq_handle_write_txn_markers(struct mq_core *core, struct mq_call *call);
void mq_handle_txn_offset_commit(struct mq_core *core, struct mq_call *call);
void mq_handle_describe_transactions(struct mq_core *core, struct mq_call *call);
void mq_handle_list_transactions(struct mq_core *core, struct mq_call *call);
void mq_handle_leader_epochs(struct mq_core *core, struct mq_call *call);
void mq_handle_describe_configs(struct mq_core *core, struct mq_call *call);
void mq_handle_alter_configs(struct mq_core *core, struct mq_call *call);
void mq_handle_describe_log_dirs(struct mq_core *core, struct mq_call *call);
void mq_handle_create_partitions(struct mq_core *core, struct mq_call *call);
void mq_handle_incremental_alter_configs(struct mq_core *core, struct mq_call *call);
void mq_handle_describe_cluster(struct mq_core *core, struct mq_call *call);
void mq_handle_describe_producers(struct mq_core *core, struct mq_call *call);
void mq_handle_describe_topic_partitions(struct mq_core *core, struct mq_call *call);

/* --- between the cluster and the handlers --------------------------------------- */

/* coordinators.c: the topics of coordinators. All topics are there [U]; a topic goes
 * away [L]; the core stops [L]. */
void mq_coordinators_open(struct mq_core *core);
void mq_coordinators_lose(struct mq_core *core, const struct mq_topic *topic,
			  struct mq_list *tasks);
void mq_coordinators_stop(struct mq_core *core, struct mq_list *tasks);

/* producer_ids.c: [U]; then() [U] comes once, with an id or an error for the response;
 * or the call is failed. */
void mq_producer_id_take(struct mq_core *core, struct mq_call *call,
			 void (*then)(struct mq_core *core, struct mq_call *call, mq_err err,
				      int64_t id));

/* txn_requests.c: InitProducerId with a transactional id. */
void mq_txn_handle_init(struct mq_core *core, struct mq_call *call);

/* txn_markers.c. [L] Writes the end of a transaction into a partition: done() [L] comes
 * once, maybe within the call. Markers for __consumer_offsets go by way of the groups'
 * coordinators. UNKNOWN_TOPIC_OR_PARTITION, and what appending brings. */
struct mq_marker_write {
	mq_bytes topic; /* borrowed until done() */
	int32_t partition;
	struct mq_replay_marker marker;
	void (*done)(struct mq_marker_write *write, mq_err err, struct mq_list *tasks);
};
void mq_marker_write(struct mq_core *core, struct mq_marker_write *write, struct mq_list *tasks);
/* The coordinator's way to it. */
void mq_txn_send_marker(void *core, struct mq_txn_send *send, struct mq_list *tasks);

/* producer_ids.c and fetch_session.c */
mq_err mq_producer_ids_new(struct mq_core *core);
void mq_producer_ids_free(struct mq_core *core);
mq_err mq_sessions_new(struct mq_core *core, int32_t slots);
void mq_sessions_free(struct mq_core *core);

/* handle_groups.c */
mq_err mq_groups_open(struct mq_core *core);

/* topics.c: [U], may block. The next block of producer ids no broker has had. */
mq_err mq_topics_producer_block(struct mq_core *core, int64_t *first, int64_t *n);

#endif
