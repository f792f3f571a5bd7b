/*
 * Administration: topics, partitions, configurations, offsets, and what the
 * cluster looks like. See mq_admin(3).
 *
 * Every call waits for its answer, at most timeout_ms; there is no thread
 * behind the admin object. A call that returns MQ_OK has an outcome for each
 * item it was given, and each item can have failed for itself: look at the
 * err of the items, or at mq_outcomes_first_error().
 *
 * Results belong to the caller, who frees each of them, with all it points to,
 * by mq_admin_result_free(). The structs of results are made by the library
 * alone and may grow at their end. Strings end with a NUL.
 */
#ifndef MQ_ADMIN_H
#define MQ_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mq/config.h>
#include <mq/error.h>
#include <mq/record.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An administration client. One thread at a time. */
typedef struct mq_admin mq_admin;

/**
 * Makes an administration client. No connection is made yet.
 * Memory: conf stays the caller's. Free with mq_admin_free().
 * Errors: MQ_E_CONFIG  bootstrap.servers is missing or cannot be read
 *         MQ_E_NOMEM; NULL is returned and error (may be NULL) says why.
 */
MQ_API mq_admin *mq_admin_new(const mq_conf *conf, mq_error *error);

/** Closes all connections and frees the client; NULL is allowed. Does not
 *  wait for the network. Results stay valid. */
MQ_API void mq_admin_free(mq_admin *admin);

/** Frees any result of the functions below; NULL is allowed. Thread: any. */
MQ_API void mq_admin_result_free(const void *result);

/*
 * What all calls below have in common:
 *
 * Thread: one at a time per admin object. Blocks up to timeout_ms.
 * Memory: arguments stay the caller's; *out is the caller's on MQ_OK and
 *         untouched otherwise.
 * Errors: MQ_E_TIMED_OUT    no answer by the deadline; error says which broker
 *                           could not be reached, and why
 *         MQ_E_ARG          a name or an array is missing
 *         MQ_E_UNSUPPORTED  the broker does not know this request
 *         MQ_E_PROTOCOL, MQ_E_NOMEM, and what the broker answers for the
 *         call as a whole, such as MQ_E_CLUSTER_AUTHORIZATION_FAILED.
 */

/** What became of one item. */
typedef struct mq_outcome {
	const char *name;  /**< topic, or name of the resource */
	int32_t partition; /**< -1 where the item is no partition */
	mq_err err;
	const char *text; /**< cause in words; "" when err is MQ_OK */
} mq_outcome;

/** One outcome for each item, in the order they were given. */
typedef struct mq_outcomes {
	size_t n;
	const mq_outcome *const *items;
} mq_outcomes;

/** The first item that failed, or NULL. Borrowed from outcomes. */
MQ_API const mq_outcome *mq_outcomes_first_error(const mq_outcomes *outcomes);

/* --- topics ---------------------------------------------------------------- */

/** The brokers of one partition, the preferred leader first. */
typedef struct mq_assignment {
	const int32_t *brokers;
	size_t n;
} mq_assignment;

/** A key and its value. */
typedef struct mq_setting {
	const char *key;
	const char *value;
} mq_setting;

/** A topic to be made. What is 0 or NULL is left to the broker's defaults. */
typedef struct mq_new_topic {
	const char *name;
	int32_t partitions;
	int32_t replication_factor;
	const mq_assignment *assignments; /**< one per partition; partitions and
					       replication_factor are then 0 */
	size_t n_assignments;
	const mq_setting *configs;
	size_t n_configs;
} mq_new_topic;

/** Makes topics; with validate_only, only checks whether it could. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_create_topics(mq_admin *admin, const mq_new_topic *topics,
						   size_t n, bool validate_only, int timeout_ms,
						   const mq_outcomes **out, mq_error *error);

/** Deletes topics by name. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_delete_topics(mq_admin *admin, const char *const *topics,
						   size_t n, int timeout_ms,
						   const mq_outcomes **out, mq_error *error);

/** More partitions for a topic. */
typedef struct mq_new_partitions {
	const char *topic;
	int32_t partitions;               /**< how many it is to have in all */
	const mq_assignment *assignments; /**< one per new partition; NULL: the broker's choice */
	size_t n_assignments;
} mq_new_partitions;

/** Adds partitions to topics. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_create_partitions(mq_admin *admin,
						       const mq_new_partitions *topics, size_t n,
						       bool validate_only, int timeout_ms,
						       const mq_outcomes **out, mq_error *error);

/** One partition as the cluster sees it. */
typedef struct mq_partition_info {
	int32_t partition;
	mq_err err;           /**< e.g. MQ_E_LEADER_NOT_AVAILABLE */
	int32_t leader;       /**< -1: none */
	int32_t leader_epoch; /**< -1: unknown */
	const int32_t *replicas, *isr, *offline;
	size_t n_replicas, n_isr, n_offline;
} mq_partition_info;

/** One topic. */
typedef struct mq_topic_info {
	const char *name;
	mq_err err;
	const char *id; /**< 22 characters, "" when the broker knows none */
	bool internal;
	size_t n_partitions;
	const mq_partition_info *const *partitions; /**< by number */
} mq_topic_info;

typedef struct mq_topic_infos {
	size_t n;
	const mq_topic_info *const *items;
} mq_topic_infos;

/** All topics the caller may see, by name, internal ones included. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_list_topics(mq_admin *admin, int timeout_ms,
						 const mq_topic_infos **out, mq_error *error);

/** The topics of the given names, in their order. Makes none. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_describe_topics(mq_admin *admin, const char *const *topics,
						     size_t n, int timeout_ms,
						     const mq_topic_infos **out, mq_error *error);

/* --- configurations -------------------------------------------------------- */

/** What a configuration belongs to; the values are those of the protocol. */
typedef enum mq_resource_type {
	MQ_RESOURCE_TOPIC = 2,
	MQ_RESOURCE_BROKER = 4, /**< name is the broker's id; "": the default of all */
	MQ_RESOURCE_BROKER_LOGGER = 8,
} mq_resource_type;

/** Where a value comes from; the values are those of the protocol. */
typedef enum mq_config_source {
	MQ_SOURCE_UNKNOWN = 0,
	MQ_SOURCE_TOPIC = 1,
	MQ_SOURCE_DYNAMIC_BROKER = 2,
	MQ_SOURCE_DYNAMIC_DEFAULT_BROKER = 3,
	MQ_SOURCE_STATIC_BROKER = 4,
	MQ_SOURCE_DEFAULT = 5,
} mq_config_source;

/** The name Kafka's tools print, such as "DYNAMIC_TOPIC_CONFIG". */
MQ_API const char *mq_config_source_name(mq_config_source source);

/** One value that is or was in the running, the one in effect first. */
typedef struct mq_config_synonym {
	const char *key;
	const char *value; /**< NULL: unset or secret */
	mq_config_source source;
} mq_config_synonym;

/** One key of a configuration. */
typedef struct mq_config_entry {
	const char *key;
	const char *value; /**< NULL: unset or secret */
	mq_config_source source;
	bool read_only, sensitive;
	size_t n_synonyms;
	const mq_config_synonym *const *synonyms;
} mq_config_entry;

/** A resource whose configuration is asked for. */
typedef struct mq_resource {
	mq_resource_type type;
	const char *name;
	const char *const *keys; /**< NULL: all */
	size_t n_keys;
} mq_resource;

typedef struct mq_config_info {
	mq_resource_type type;
	const char *name;
	mq_err err;
	const char *text;
	size_t n_entries;
	const mq_config_entry *const *entries;
} mq_config_info;

typedef struct mq_config_infos {
	size_t n;
	const mq_config_info *const *items;
} mq_config_infos;

/** Reads configurations. A broker answers for itself, so each is asked. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_describe_configs(mq_admin *admin, const mq_resource *resources,
						      size_t n, int timeout_ms,
						      const mq_config_infos **out, mq_error *error);

/** What is to be done with one key (KIP-339); the protocol's values. */
typedef enum mq_alter_op {
	MQ_ALTER_SET = 0,
	MQ_ALTER_DELETE = 1,   /**< back to the default; value is NULL */
	MQ_ALTER_APPEND = 2,   /**< to a list */
	MQ_ALTER_SUBTRACT = 3, /**< from a list */
} mq_alter_op;

typedef struct mq_alter {
	mq_alter_op op;
	const char *key;
	const char *value;
} mq_alter;

typedef struct mq_alteration {
	mq_resource_type type;
	const char *name;
	const mq_alter *alters;
	size_t n;
} mq_alteration;

/** Changes single keys of configurations; the others stay as they are. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_incremental_alter_configs(
    mq_admin *admin, const mq_alteration *alterations, size_t n, bool validate_only, int timeout_ms,
    const mq_outcomes **out, mq_error *error);

/** Replaces whole configurations, for brokers older than Kafka 2.3: keys that
 *  are not named go back to their defaults. Every op is MQ_ALTER_SET. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_alter_configs(mq_admin *admin,
						   const mq_alteration *alterations, size_t n,
						   bool validate_only, int timeout_ms,
						   const mq_outcomes **out, mq_error *error);

/* --- offsets and records --------------------------------------------------- */

/** Marks for mq_partition_at.at in mq_admin_list_offsets(). */
#define MQ_OFFSET_LATEST        (-1) /**< behind the last record */
#define MQ_OFFSET_EARLIEST      (-2)
#define MQ_OFFSET_MAX_TIMESTAMP (-3) /**< the record with the greatest timestamp */

/** A partition and a point in it. */
typedef struct mq_partition_at {
	const char *topic;
	int32_t partition;
	int64_t at;
} mq_partition_at;

typedef struct mq_offset_info {
	const char *topic;
	int32_t partition;
	mq_err err;
	const char *text;
	int64_t offset;       /**< -1: there is no such record */
	int64_t timestamp;    /**< of the record found; -1: none */
	int32_t leader_epoch; /**< -1: unknown */
} mq_offset_info;

typedef struct mq_offset_infos {
	size_t n;
	const mq_offset_info *const *items;
} mq_offset_infos;

/** Offsets of marks, or of the first record at or after a timestamp (at: in
 *  milliseconds since 1970). committed_only: the partition ends where the first
 *  open transaction begins. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_list_offsets(mq_admin *admin,
						  const mq_partition_at *partitions, size_t n,
						  bool committed_only, int timeout_ms,
						  const mq_offset_infos **out, mq_error *error);

/** Deletes the records before an offset (at: -1 all). offset of the results
 *  is the first that is left. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_delete_records(mq_admin *admin,
						    const mq_partition_at *partitions, size_t n,
						    int timeout_ms, const mq_offset_infos **out,
						    mq_error *error);

/* --- consumer groups -------------------------------------------------------- */

/** A group as its coordinator lists it. */
typedef struct mq_group_listing {
	const char *id;
	const char *protocol_type; /**< "consumer"; "" for a group that only has offsets */
	const char *state;         /**< "Stable", "Empty", ...; "" when the broker is too old */
	const char *type;          /**< "classic", ...; "" when the broker is too old */
} mq_group_listing;

typedef struct mq_group_listings {
	size_t n;
	const mq_group_listing *const *items; /**< by id */
} mq_group_listings;

/** All groups of all brokers; with states (n_states of them), only those in one
 *  of these states. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_list_groups(mq_admin *admin, const char *const *states,
						 size_t n_states, int timeout_ms,
						 const mq_group_listings **out, mq_error *error);

/** One member of a group. */
typedef struct mq_member_info {
	const char *member_id;
	const char *instance_id; /**< group.instance.id; NULL: none */
	const char *client_id;
	const char *host;
	size_t n_partitions;
	const mq_topic_partition *partitions; /**< assigned to it; by topic and number */
} mq_member_info;

/** A group as its coordinator describes it. */
typedef struct mq_group_info {
	const char *id;
	mq_err err;
	const char *text;
	const char *state; /**< "Dead" for a group that does not exist */
	const char *protocol_type;
	const char *assignor; /**< "" without members */
	int32_t coordinator;  /**< the broker's id */
	size_t n_members;
	const mq_member_info *const *members; /**< by member id */
} mq_group_info;

typedef struct mq_group_infos {
	size_t n;
	const mq_group_info *const *items;
} mq_group_infos;

/** Groups by their ids, in that order. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_describe_groups(mq_admin *admin, const char *const *groups,
						     size_t n, int timeout_ms,
						     const mq_group_infos **out, mq_error *error);

/** Deletes groups with their offsets; MQ_E_NON_EMPTY_GROUP for one that has
 *  members. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_delete_groups(mq_admin *admin, const char *const *groups,
						   size_t n, int timeout_ms,
						   const mq_outcomes **out, mq_error *error);

/** An offset that a group has committed. */
typedef struct mq_group_offset_info {
	const char *topic;
	int32_t partition;
	mq_err err;
	const char *text;
	int64_t offset;       /**< -1: none */
	int32_t leader_epoch; /**< -1: unknown */
	const char *metadata; /**< what was committed with it */
} mq_group_offset_info;

typedef struct mq_group_offset_infos {
	size_t n;
	const mq_group_offset_info *const *items;
} mq_group_offset_infos;

/** The offsets of a group for the partitions given, in their order, or (NULL) for
 *  all that it has committed, by topic and number. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_list_group_offsets(mq_admin *admin, const char *group,
							const mq_topic_partition *partitions,
							size_t n, int timeout_ms,
							const mq_group_offset_infos **out,
							mq_error *error);

/** An offset to be committed for a group. */
typedef struct mq_group_offset {
	const char *topic;
	int32_t partition;
	int64_t offset;
	mq_opt_int leader_epoch;
	const char *metadata; /**< NULL: "" */
} mq_group_offset;

/** Sets offsets of a group without members; with members the outcomes are
 *  MQ_E_UNKNOWN_MEMBER_ID. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_alter_group_offsets(mq_admin *admin, const char *group,
							 const mq_group_offset *offsets, size_t n,
							 int timeout_ms, const mq_outcomes **out,
							 mq_error *error);

/** Deletes offsets of a group; MQ_E_GROUP_SUBSCRIBED_TO_TOPIC where it has
 *  members that are subscribed to the topic. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_delete_group_offsets(mq_admin *admin, const char *group,
							  const mq_topic_partition *partitions,
							  size_t n, int timeout_ms,
							  const mq_outcomes **out, mq_error *error);

/* --- the cluster ----------------------------------------------------------- */

typedef struct mq_broker_info {
	int32_t id;
	const char *host;
	int32_t port;
	const char *rack; /**< NULL: none */
} mq_broker_info;

typedef struct mq_cluster_info {
	const char *id;     /**< "" when the broker knows none */
	int32_t controller; /**< -1: unknown */
	size_t n_brokers;
	const mq_broker_info *const *brokers; /**< by id */
} mq_cluster_info;

/** The brokers and the controller. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_describe_cluster(mq_admin *admin, int timeout_ms,
						      const mq_cluster_info **out, mq_error *error);

/** The log of one replica in a directory. */
typedef struct mq_replica_info {
	const char *topic;
	int32_t partition;
	int64_t size;       /**< bytes */
	int64_t offset_lag; /**< behind the high watermark, or the current replica */
	bool future;        /**< being moved here */
} mq_replica_info;

typedef struct mq_log_dir_info {
	int32_t broker;
	mq_err err;
	const char *text;
	const char *path;                  /**< "" when the broker could not be asked */
	int64_t total_bytes, usable_bytes; /**< of its volume; -1: unknown */
	size_t n_replicas;
	const mq_replica_info *const *replicas;
} mq_log_dir_info;

typedef struct mq_log_dir_infos {
	size_t n;
	const mq_log_dir_info *const *items;
} mq_log_dir_infos;

/** The log directories of brokers (NULL: of all). A broker that fails is one
 *  item with its error. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_describe_log_dirs(mq_admin *admin, const int32_t *brokers,
						       size_t n, int timeout_ms,
						       const mq_log_dir_infos **out,
						       mq_error *error);

/** What a partition knows of one producer. */
typedef struct mq_producer_state {
	int64_t producer_id;
	int32_t producer_epoch;
	int32_t last_sequence;
	int64_t last_timestamp;
	int32_t coordinator_epoch;
	int64_t txn_start_offset; /**< -1: no open transaction */
} mq_producer_state;

typedef struct mq_producers_info {
	const char *topic;
	int32_t partition;
	mq_err err;
	const char *text;
	size_t n_producers;
	const mq_producer_state *const *producers;
} mq_producers_info;

typedef struct mq_producers_infos {
	size_t n;
	const mq_producers_info *const *items;
} mq_producers_infos;

/** The producers that partitions remember (at is not looked at). */
MQ_API MQ_MUST_CHECK mq_err mq_admin_describe_producers(mq_admin *admin,
							const mq_partition_at *partitions, size_t n,
							int timeout_ms,
							const mq_producers_infos **out,
							mq_error *error);

/** A transactional id. */
typedef struct mq_transaction_listing {
	const char *id;
	const char *state; /**< Kafka's: "Empty", "Ongoing", "CompleteCommit", ... */
	int64_t producer_id;
	int32_t coordinator; /**< the broker */
} mq_transaction_listing;

typedef struct mq_transaction_listings {
	size_t n;
	const mq_transaction_listing *const *items;
} mq_transaction_listings;

/** Which transactions: those that fit all that is set. */
typedef struct mq_transaction_filter {
	const char *const *states;
	size_t n_states;
	const int64_t *producer_ids;
	size_t n_producer_ids;
	mq_opt_int duration_ms; /**< open for longer */
	uint64_t reserved[4];
} mq_transaction_filter;

/** The transactional ids that all brokers know; filter NULL: all. MQ_E_ARG for a state
 *  that there is not. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_list_transactions(mq_admin *admin,
						       const mq_transaction_filter *filter,
						       int timeout_ms,
						       const mq_transaction_listings **out,
						       mq_error *error);

/** A transaction as its coordinator knows it. */
typedef struct mq_transaction_info {
	const char *id;
	mq_err err; /**< MQ_E_TRANSACTIONAL_ID_NOT_FOUND, ... */
	const char *text;
	const char *state;
	int64_t producer_id;
	int64_t start_ms; /**< of the last one; -1: there was none */
	int32_t coordinator;
	int32_t producer_epoch;
	int32_t timeout_ms;
	size_t n_partitions; /**< without a marker yet */
	const mq_topic_partition *partitions;
} mq_transaction_info;

typedef struct mq_transaction_infos {
	size_t n;
	const mq_transaction_info *const *items;
} mq_transaction_infos;

/** The transactions of ids, in their order. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_describe_transactions(mq_admin *admin,
							   const char *const *ids, size_t n,
							   int timeout_ms,
							   const mq_transaction_infos **out,
							   mq_error *error);

/** An open transaction in a partition, as mq_admin_describe_producers() tells it. */
typedef struct mq_hanging_transaction {
	const char *topic;
	int32_t partition;
	int32_t producer_epoch;
	int64_t producer_id;
	int32_t coordinator_epoch; /**< -1: no marker has been seen */
	uint64_t reserved[2];
} mq_hanging_transaction;

/** Ends a transaction in one partition that no coordinator will end: readers of
 *  committed records go on, and do not see its records. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_abort_transaction(mq_admin *admin,
						       const mq_hanging_transaction *transaction,
						       int timeout_ms, mq_error *error);

/** The versions of one API. */
typedef struct mq_api_info {
	int16_t key;
	const char *name; /**< Kafka's; "UNKNOWN" for one that libmq does not know */
	int16_t min, max; /**< the broker's range */
	int16_t usable;   /**< the version libmq uses; -1: none */
} mq_api_info;

typedef struct mq_api_infos {
	int32_t broker;
	size_t n;
	const mq_api_info *const *items;
} mq_api_infos;

/** The APIs a broker offers; broker -1: any. */
MQ_API MQ_MUST_CHECK mq_err mq_admin_api_versions(mq_admin *admin, int32_t broker, int timeout_ms,
						  const mq_api_infos **out, mq_error *error);

#ifdef __cplusplus
}
#endif

#endif
