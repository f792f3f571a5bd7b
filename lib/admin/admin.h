/*
 * The admin client: each call sends a few requests through lib/client, drives
 * the loop on the caller's thread until they are answered, and copies what
 * came into a result of the caller's.
 *
 * The functions here are those of <mq/admin.h> with checked arguments; see
 * there for what they do. lib/api/admin.c makes them public.
 */
#ifndef MQ_ADMIN_ADMIN_H
#define MQ_ADMIN_ADMIN_H

#include <sys/types.h>

#include <mq/admin.h>

#include "base/result.h"
#include "client/client.h"
#include "protocol/api.h"
#include "protocol/wire.h"

struct mq_admin {
	struct mq_env *env;
	struct mq_loop *loop;
	struct mq_client *client;
	pid_t pid; /* whoever made it; a fork's child shares the sockets, so it may not use it */
};

/* env and loop NULL: the admin makes and owns them. */
mq_err mq_adm_new(struct mq_admin **out, const mq_conf *conf, const struct mq_dialer *dialer,
		  mq_error *error);
void mq_adm_free(struct mq_admin *admin);

/* --- asking ----------------------------------------------------------------- */

/* One call on its way: its requests, what they are made of, and its end. */
struct mq_adm_call {
	struct mq_admin *admin;
	struct mq_arena arena; /* requests and asks */
	int64_t deadline_us;
	int32_t broker_timeout_ms; /* for timeout_ms of requests */
	int n_open;
	mq_error *error;
};

struct mq_ask {
	struct mq_request req;
	struct mq_adm_call *call;
	mq_err err;
	void *arg;
	struct mq_ask *next; /* for who asks several at once */
};

void mq_adm_begin(struct mq_adm_call *call, struct mq_admin *admin, int timeout_ms,
		  mq_error *error);

/* Frees the asks that are given, which are linked by next, and the arena. */
void mq_adm_end(struct mq_adm_call *call, struct mq_ask *asks);

/* A new ask for a request made of tag's struct at its defaults; NULL when out
 * of memory. It is part of the call's arena and has to be given to
 * mq_adm_end(). */
struct mq_ask *mq_adm_ask_new(struct mq_adm_call *call, int16_t api_key,
			      const struct mq_message *message, struct mq_ask **asks);

/* Sends. */
void mq_adm_ask_send(struct mq_ask *ask);

/* Waits for all that was sent. */
void mq_adm_wait(struct mq_adm_call *call);

/* Sends one, waits, and passes its error on. */
mq_err mq_adm_ask_one(struct mq_ask *ask);

/* Lets time pass, at most up to the deadline; false when that has passed. */
bool mq_adm_pause(struct mq_adm_call *call, int64_t us);

mq_err mq_adm_nomem(struct mq_adm_call *call);

/* All brokers of the cluster, in the call's arena. */
mq_err mq_adm_all_brokers(struct mq_adm_call *call, struct mq_ask **asks, const int32_t **out,
			  size_t *n);

/* A new ask for the coordinator of a group. */
struct mq_ask *mq_adm_ask_group(struct mq_adm_call *call, int16_t api_key,
				const struct mq_message *message, const char *group,
				struct mq_ask **asks);

/* For check(): the error, if the coordinator is loading or has moved. */
mq_err mq_adm_coordinator_error(int16_t err);

/* --- one outcome for each item ------------------------------------------------ */

/* Outcomes to be filled in by name, in whatever order the answers come. */
struct mq_tally {
	mq_outcomes *outcomes;
	struct mq_map by_name;
};

bool mq_tally_init(struct mq_tally *tally, size_t n);
bool mq_tally_add(struct mq_tally *tally, const char *name); /* in order */
bool mq_tally_set(struct mq_tally *tally, mq_bytes name, int16_t err, mq_bytes message);

/* Gives the outcomes away; items without an answer have failed. */
mq_outcomes *mq_tally_take(struct mq_tally *tally);
void mq_tally_deinit(struct mq_tally *tally);

/* --- partitions at their leaders ------------------------------------------------ */

struct mq_fan_item {
	mq_partition_at at;
	int32_t leader, leader_epoch;
	mq_err err;
	char text[160]; /* "" for the table's */
	bool settled;
	void *result; /* the caller's */
};

struct mq_fan {
	struct mq_adm_call call;
	struct mq_fan_item *items;
	size_t n;
	struct mq_map by_name; /* topic and partition -> item */
	struct mq_arena keys;  /* of the map */
	int16_t api_key;
	const struct mq_message *message;
	/* Fills in the request for the items, which are of one leader. */
	mq_err (*build)(struct mq_fan *fan, struct mq_ask *ask, struct mq_fan_item **items,
			size_t n);
	/* Reads a response: sets err and settled of the items it is about. */
	mq_err (*read)(struct mq_fan *fan, const struct mq_ask *ask);
	void *arg;
};

/*
 * Asks the leader of each partition, again where the leader has moved or is
 * being elected, until all are settled or time is up.
 */
mq_err mq_fan_run(struct mq_fan *fan, struct mq_admin *admin, const mq_partition_at *parts,
		  size_t n, int timeout_ms, mq_error *error);
void mq_fan_deinit(struct mq_fan *fan);

struct mq_fan_item *mq_fan_find(const struct mq_fan *fan, mq_bytes topic, int32_t partition);

/* Settles an item, or leaves it for the next round if its error may pass. */
void mq_fan_settle(struct mq_fan_item *item, int16_t err);

/* Metadata for some topics (NULL: all), also for the client to learn from. */
mq_err mq_adm_metadata(struct mq_adm_call *call, const mq_bytes *topics, int32_t n, bool all,
		       struct mq_ask **asks, const struct mq_metadata_response **out);

/* --- the calls ------------------------------------------------------------------ */

mq_err mq_adm_create_topics(struct mq_admin *admin, const mq_new_topic *topics, size_t n,
			    bool validate_only, int timeout_ms, const mq_outcomes **out,
			    mq_error *error);
mq_err mq_adm_delete_topics(struct mq_admin *admin, const char *const *topics, size_t n,
			    int timeout_ms, const mq_outcomes **out, mq_error *error);
mq_err mq_adm_create_partitions(struct mq_admin *admin, const mq_new_partitions *topics, size_t n,
				bool validate_only, int timeout_ms, const mq_outcomes **out,
				mq_error *error);
mq_err mq_adm_describe_topics(struct mq_admin *admin, const char *const *topics, size_t n, bool all,
			      int timeout_ms, const mq_topic_infos **out, mq_error *error);
mq_err mq_adm_describe_configs(struct mq_admin *admin, const mq_resource *resources, size_t n,
			       int timeout_ms, const mq_config_infos **out, mq_error *error);
mq_err mq_adm_incremental_alter_configs(struct mq_admin *admin, const mq_alteration *alterations,
					size_t n, bool validate_only, int timeout_ms,
					const mq_outcomes **out, mq_error *error);
mq_err mq_adm_alter_configs(struct mq_admin *admin, const mq_alteration *alterations, size_t n,
			    bool validate_only, int timeout_ms, const mq_outcomes **out,
			    mq_error *error);
mq_err mq_adm_list_offsets(struct mq_admin *admin, const mq_partition_at *partitions, size_t n,
			   bool committed_only, int timeout_ms, const mq_offset_infos **out,
			   mq_error *error);
mq_err mq_adm_delete_records(struct mq_admin *admin, const mq_partition_at *partitions, size_t n,
			     int timeout_ms, const mq_offset_infos **out, mq_error *error);
mq_err mq_adm_describe_producers(struct mq_admin *admin, const mq_partition_at *partitions,
				 size_t n, int timeout_ms, const mq_producers_infos **out,
				 mq_error *error);
mq_err mq_adm_describe_cluster(struct mq_admin *admin, int timeout_ms, const mq_cluster_info **out,
			       mq_error *error);
mq_err mq_adm_describe_log_dirs(struct mq_admin *admin, const int32_t *brokers, size_t n,
				int timeout_ms, const mq_log_dir_infos **out, mq_error *error);
mq_err mq_adm_list_groups(struct mq_admin *admin, const char *const *states, size_t n_states,
			  int timeout_ms, const mq_group_listings **out, mq_error *error);
mq_err mq_adm_describe_groups(struct mq_admin *admin, const char *const *groups, size_t n,
			      int timeout_ms, const mq_group_infos **out, mq_error *error);
mq_err mq_adm_delete_groups(struct mq_admin *admin, const char *const *groups, size_t n,
			    int timeout_ms, const mq_outcomes **out, mq_error *error);
mq_err mq_adm_list_group_offsets(struct mq_admin *admin, const char *group,
				 const mq_topic_partition *partitions, size_t n, int timeout_ms,
				 const mq_group_offset_infos **out, mq_error *error);
mq_err mq_adm_alter_group_offsets(struct mq_admin *admin, const char *group,
				  const mq_group_offset *offsets, size_t n, int timeout_ms,
				  const mq_outcomes **out, mq_error *error);
mq_err mq_adm_delete_group_offsets(struct mq_admin *admin, const char *group,
				   const mq_topic_partition *partitions, size_t n, int timeout_ms,
				   const mq_outcomes **out, mq_error *error);
mq_err mq_adm_list_transactions(struct mq_admin *admin, const mq_transaction_filter *filter,
				int timeout_ms, const mq_transaction_listings **out,
				mq_error *error);
mq_err mq_adm_describe_transactions(struct mq_admin *admin, const char *const *ids, size_t n,
				    int timeout_ms, const mq_transaction_infos **out,
				    mq_error *error);
mq_err mq_adm_abort_transaction(struct mq_admin *admin, const mq_hanging_transaction *txn,
				int timeout_ms, mq_error *error);
mq_err mq_adm_api_versions(struct mq_admin *admin, int32_t broker, int timeout_ms,
			   const mq_api_infos **out, mq_error *error);

#endif
