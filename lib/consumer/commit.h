/*
 * Committed offsets: committing and asking for them.
 *
 * Commits stand in a queue and leave it in their order. One request is under
 * way at a time; what has queued up meanwhile leaves together in the next one, a
 * later offset of a partition in place of an earlier one. A commit that somebody
 * waits for is repeated until its deadline, the others are tried once.
 *
 * A commit belongs to the generation in which it was made. Should the group have
 * been rebalanced since, it is sent only if all its partitions are still
 * assigned here.
 */
#ifndef MQ_CONSUMER_COMMIT_H
#define MQ_CONSUMER_COMMIT_H

#include "consumer/consumer.h"
#include "consumer/part_refs.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_fetch.h"

/* Commits that wait to be sent, or whose callbacks wait to run. */
#define MQ_COMMITS_MAX 100000

struct mq_commit {
	struct mq_op op; /* first: freed as an op; waited for, or nobody does */
	struct mq_commits *commits;
	mq_offset *offsets; /* with the strings, in arena */
	size_t n;
	struct mq_arena arena;
	bool waited;  /* repeated until op.deadline_us */
	bool is_auto; /* of enable.auto.commit */
	int32_t generation;
	mq_commit_cb *done;
	void *arg;
	struct mq_list report; /* the commits whose callbacks are to run */
	bool in_request;
};

struct mq_commits {
	struct mq_cons *cons;
	struct mq_list queue;  /* struct mq_commit, by op.list */
	struct mq_list sent;   /* those of the request under way */
	struct mq_list report; /* those whose callbacks are to run */
	size_t n;              /* of all of them */
	int64_t auto_us;       /* when the next automatic commit is due */
	struct mq_ask ask;
	struct mq_offset_commit_request request;
	uint64_t serial;          /* of the group, when it was sent */
	int32_t generation;       /* under which it was sent */
	const char *member_id;    /* borrowed from the group while the request is made */
	struct mq_part_refs refs; /* what it commits, in ask.arena */

	/* OffsetFetch: for calls, and for parts whose position is not known. */
	struct mq_list questions; /* struct mq_committed, by op.list */
	struct mq_ask fetch;
	struct mq_offset_fetch_request fetch_request;
	struct mq_offset_fetch_request_group fetch_group;
	struct mq_committed *fetching; /* the question under way; NULL: for positions */
	uint32_t fetch_part_serial;
	struct mq_part_refs fetch_refs; /* what is asked for, in fetch.arena */
};

mq_err mq_commits_new(struct mq_commits **out, struct mq_cons *cons, mq_error *error);
void mq_commits_free(struct mq_commits *commits); /* nothing is under way */

/* On the loop's thread. */
void mq_commits_step(struct mq_commits *commits, int64_t now_us, int64_t *due_us);

/* Asks for committed offsets (commit_fetch.c). On the loop's thread. */
void mq_commits_fetch_step(struct mq_commits *commits, int64_t now_us, int64_t *due_us);

/*
 * Begins a commit of offsets, or with NULL of what has been consumed of all
 * assigned partitions. The op (NULL: nobody waits) ends with it.
 * Errors: MQ_E_FULL, MQ_E_NOMEM, MQ_E_ARG.
 */
struct mq_commit_args {
	const mq_offset *offsets;
	size_t n;
	bool waited, is_auto;
	int64_t deadline_us;
	mq_commit_cb *done;
	void *arg;
};
mq_err mq_commits_begin(struct mq_commits *commits, const struct mq_commit_args *args,
			struct mq_op **op, mq_error *error);

/* Who has waited for a commit is done with it: tells interceptors, and frees it.
 * With the lock, which is given up meanwhile. */
void mq_commits_taken(struct mq_op *op);

/* A poll: an automatic commit if one is due. */
void mq_commits_auto(struct mq_commits *commits, int64_t now_us);

/* Runs the callbacks that are due, with the lock given up meanwhile. */
void mq_commits_report(struct mq_commits *commits);
bool mq_commits_has_work(const struct mq_commits *commits);

/* Whether no commit is queued or under way. */
bool mq_commits_is_quiet(const struct mq_commits *commits);

/* --- committed offsets --------------------------------------------------------------- */

struct mq_committed {
	struct mq_op op;
	struct mq_cons *cons;
	mq_offsets *result; /* its offsets are filled in */
	mq_offset *offsets;
	size_t n;
	int64_t retry_us;
	uint32_t failures;
	bool in_request;
};

mq_err mq_committed_new(struct mq_commits *commits, const mq_topic_partition *partitions, size_t n,
			int64_t deadline_us, struct mq_op **op, mq_error *error);

#endif
