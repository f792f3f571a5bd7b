/*
 * The fetcher: records of the assigned partitions, ahead of the application.
 *
 *   loop's thread                                  application's thread
 *   -------------                                  --------------------
 *   step: which partitions, from which broker      take: chunks become records,
 *      |  one Fetch per broker under way              |  positions move
 *      v                                              v
 *   answer: one chunk per partition -> [ ready chunks, a byte budget ] -->
 *
 * A chunk is what one Fetch brought for one partition. While it is being read
 * the next one is fetched from where it ends. Positions move only when records
 * are handed out; a chunk that does not begin at the position is dropped.
 *
 * With a broker in this process there is no loop in between: take() calls the
 * broker, and reads the ranges of the log that it answers with. A Fetch that
 * waits in the broker is completed by the thread that appends, which wakes the
 * application.
 *
 * Failure modes: an error of one partition is that partition's alone; it is
 * asked for again after a back-off, or kept in part->error for the next poll.
 * A session that a broker has forgotten is begun anew.
 */
#ifndef MQ_CONSUMER_FETCH_H
#define MQ_CONSUMER_FETCH_H

#include "consumer/consumer.h"

struct mq_fetcher;

/* Errors: MQ_E_NOMEM. */
mq_err mq_fetcher_new(struct mq_fetcher **out, struct mq_cons *cons, mq_error *error);

/* Nothing is under way any more. NULL is allowed. */
void mq_fetcher_free(struct mq_fetcher *fetcher);

/* Ends every request. On the loop's thread or while nobody drives the loop,
 * without the lock. */
void mq_fetcher_cancel(struct mq_fetcher *fetcher);

/* Sends what is due: resets, validations, look-ups, fetches. With the lock, on
 * the loop's thread. */
void mq_fetcher_step(struct mq_cons *cons, int64_t now_us, int64_t *due_us);

/* Forgets what was fetched of a part that is sought in or goes; frees
 * part->fetch. With the lock. */
void mq_fetcher_drop(struct mq_cons *cons, struct mq_sub_part *part);

/* Whether mq_fetcher_take() has something to do. With the lock. */
bool mq_fetcher_has_records(const struct mq_cons *cons);

/*
 * At most max.poll.records records; their positions move behind them. *out is
 * NULL when there are none. On the application's thread, with the lock, which
 * is given up meanwhile. A partition that fails gets part->error.
 * Errors: MQ_E_NOMEM
 */
mq_err mq_fetcher_take(struct mq_cons *cons, mq_records **out, mq_error *error);

/* The next poll has begun, or the end: the records are not used any more. NULL is
 * allowed. With the lock. */
void mq_fetcher_recycle(struct mq_cons *cons, mq_records *records);

/* Fills in reason POSITION, FETCH_ERROR, BUFFER_FULL or NONE. With the lock. */
void mq_fetcher_status(const struct mq_cons *cons, mq_consumer_event *event);

/* --- looking offsets up (offsets.c) ------------------------------------------- */

/* An op that asks for offsets: at is MQ_OFFSET_EARLIEST, MQ_OFFSET_LATEST or a
 * time. The names are copied. With the lock. */
mq_err mq_lookup_new(struct mq_cons *cons, const mq_partition_at *partitions, size_t n,
		     struct mq_op **out);

/* Of an op that has ended with MQ_OK: valid until op->free(). */
const mq_offsets *mq_lookup_result(const struct mq_op *op);

/* What auto.offset.reset says about a part without a usable position: asks for
 * a new one, or sets part->error to err. With the lock. */
void mq_offsets_reset(struct mq_cons *cons, struct mq_sub_part *part, mq_err err);

#endif
