/*
 * What a consumer wants to read and what it reads: topics subscribed to,
 * partitions assigned, and how far each has come. Pure data; changed by the
 * application's calls, by the group, and by the fetcher, under the consumer's
 * lock.
 *
 *                       offset committed (group), or seek
 *   assigned -> UNKNOWN ---------------------------------> VALIDATING --+
 *                  |                                          ^   |     |
 *        nothing   v    ListOffsets        newer leader epoch |   v     |
 *     committed  RESET -----------------------------------> FETCHING <--+
 *                  ^                                          |
 *                  +------------- offset out of range --------+
 */
#ifndef MQ_CONSUMER_SUBSCRIPTION_H
#define MQ_CONSUMER_SUBSCRIPTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <mq/consumer.h>

#include "base/list.h"
#include "base/map.h"

/* Topics subscribed to and partitions assigned at most: bounds what a hostile
 * group leader can make of a member's memory. */
#define MQ_SUB_TOPICS_MAX 100000
#define MQ_SUB_PARTS_MAX  1000000

/* Longest name of a topic, as Kafka has it. */
#define MQ_SUB_NAME_MAX 249

struct mq_fetch_part;
struct mq_pattern;

/* The name of a topic; counted, since records point to it that may outlive the
 * consumer. */
struct mq_sub_topic {
	_Atomic uint32_t refs;
	size_t size;
	char name[];
};

struct mq_sub_topic *mq_sub_topic_new(mq_bytes name); /* NULL: out of memory */
struct mq_sub_topic *mq_sub_topic_ref(struct mq_sub_topic *topic);
void mq_sub_topic_unref(struct mq_sub_topic *topic);

/* The offset to be handed out next. */
struct mq_position {
	int64_t offset;
	int32_t offset_epoch; /* of the record before it; -1: unknown */
	int32_t leader_epoch; /* the leader's for which it holds, by metadata; -1: unknown */
};

enum mq_part_state {
	MQ_PART_UNKNOWN,    /* the committed offset is to be asked for (group.c) */
	MQ_PART_RESET,      /* the offset of reset_to is to be asked for (fetcher) */
	MQ_PART_VALIDATING, /* position is to be checked against the log (fetcher) */
	MQ_PART_FETCHING,   /* position holds */
};

struct mq_sub_part {
	struct mq_sub_topic *topic;
	int32_t index;
	struct mq_list list; /* the subscription's parts */

	enum mq_part_state state;
	struct mq_position position; /* of VALIDATING and FETCHING */
	int64_t reset_to;            /* MQ_OFFSET_EARLIEST, MQ_OFFSET_LATEST or a timestamp */
	bool asked_to_reset;         /* by a seek, not by the policy */
	bool paused;
	/* In the hands of the listener: nothing is handed out or fetched. */
	bool revoking;  /* on_revoked or on_lost has to run */
	bool assigning; /* on_assigned has to run */
	/* Changes with each seek, reset and assignment: an answer to what was asked
	 * under another one does not count. */
	uint32_t serial;

	int64_t retry_us; /* no look-up before */
	uint32_t failures;

	/* As the leader last said; -1: unknown. */
	int64_t high_watermark, last_stable_offset, log_start;
	int32_t preferred_replica; /* to fetch from (KIP-392); -1: the leader */
	int64_t preferred_until_us;

	/* What the next poll fails with; code MQ_OK: nothing. Set by mq_sub_fail(). */
	mq_error error;
	int64_t committed; /* what was committed last, as far as is known; -1 */

	struct mq_fetch_part *fetch; /* the fetcher's; NULL: none yet */

	bool kept;     /* of mq_sub_assign() */
	uint8_t key[]; /* in the map */
};

enum mq_sub_kind { MQ_SUB_NONE, MQ_SUB_TOPICS, MQ_SUB_PATTERN, MQ_SUB_ASSIGNED };

struct mq_sub {
	enum mq_sub_kind kind;
	char **topics; /* subscribed to, sorted; with a pattern, those that match */
	size_t n_topics;
	struct mq_pattern *pattern;
	mq_rebalance_listener listener; /* all NULL: none */

	struct mq_map map; /* of the parts, by topic and index */
	struct mq_list parts;
	size_t n_parts;
	size_t n_failed;    /* parts with an error */
	uint64_t serial;    /* changes with the set of parts, their pauses and positions */
	uint32_t last_part; /* the last serial given to a part */
	/* Before a part goes: the fetcher drops what it has of it. */
	void (*drop)(void *arg, struct mq_sub_part *part);
	void *drop_arg;
};

void mq_sub_init(struct mq_sub *sub, uint64_t seed);
void mq_sub_deinit(struct mq_sub *sub);

/* --- topics ---------------------------------------------------------------------- */

/* Replaces the topics subscribed to. Names are copied; MQ_E_NOMEM leaves all as it was. */
mq_err mq_sub_set_topics(struct mq_sub *sub, const char *const *topics, size_t n);

/* MQ_E_ARG: the pattern is no regular expression. */
mq_err mq_sub_set_pattern(struct mq_sub *sub, const char *pattern, mq_error *error);
bool mq_sub_matches(const struct mq_sub *sub, const char *topic);

/* Nothing is subscribed to or assigned any more. */
void mq_sub_clear(struct mq_sub *sub);

bool mq_sub_has_topic(const struct mq_sub *sub, const char *topic);

/* Whether a group decides about the assignment. */
static inline bool mq_sub_by_group(const struct mq_sub *sub)
{
	return sub->kind == MQ_SUB_TOPICS || sub->kind == MQ_SUB_PATTERN;
}

/* --- partitions ----------------------------------------------------------------------- */

struct mq_sub_part *mq_sub_find(const struct mq_sub *sub, mq_bytes topic, int32_t index);

/* Makes these the assigned partitions: those that were assigned already keep
 * their state, the others begin. MQ_E_NOMEM, MQ_E_ARG (a name that is too long)
 * and MQ_E_TOO_BIG leave all as it was. */
mq_err mq_sub_assign(struct mq_sub *sub, const mq_topic_partition *parts, size_t n);

/* Takes one out. */
void mq_sub_remove(struct mq_sub *sub, struct mq_sub_part *part);

/* The changes of state; each gives the part a new serial but the last two. */
void mq_sub_seek(struct mq_sub *sub, struct mq_sub_part *part, const struct mq_position *to,
		 bool validate);
void mq_sub_reset(struct mq_sub *sub, struct mq_sub_part *part, int64_t to, bool asked);
void mq_sub_validate(struct mq_sub_part *part, int32_t leader_epoch); /* FETCHING -> VALIDATING */
void mq_sub_validated(struct mq_sub_part *part);                      /* and back */

/* The next poll fails with this error, once; until then nothing is fetched. */
void mq_sub_fail(struct mq_sub *sub, struct mq_sub_part *part, const mq_error *error);
void mq_sub_unfail(struct mq_sub *sub, struct mq_sub_part *part);

/* Whether records of the part may be fetched / handed out now. */
static inline bool mq_sub_is_fetchable(const struct mq_sub_part *part)
{
	return part->state == MQ_PART_FETCHING && !part->paused && !part->revoking &&
	       !part->assigning && part->error.code == MQ_OK;
}

static inline bool mq_sub_has_position(const struct mq_sub_part *part)
{
	return part->state == MQ_PART_VALIDATING || part->state == MQ_PART_FETCHING;
}

#define mq_sub_each(it, sub) mq_list_each (it, &(sub)->parts)
#define mq_sub_part_of(it)   mq_list_entry(it, struct mq_sub_part, list)

#endif
