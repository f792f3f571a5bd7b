/*
 * What one poll brings: an array of records that point into memory which is
 * held as long as they are, or until the next poll empties the set for its own.
 * Nothing is allocated for a record: the arrays are kept and used again.
 */
#ifndef MQ_CONSUMER_RECORDS_H
#define MQ_CONSUMER_RECORDS_H

#include <stdbool.h>

#include <mq/consumer.h>

#include "consumer/held.h"
#include "consumer/subscription.h"

/* The records of one partition. */
struct mq_records_part {
	struct mq_sub_topic *topic; /* a reference */
	int32_t partition;
	size_t first, n;
};

struct mq_records {
	struct mq_received *items;
	size_t n, capacity, at;
	struct mq_records_part *parts;
	size_t n_parts, parts_capacity;
	struct mq_held **held;
	size_t n_held, held_capacity;
	struct mq_records **place; /* where the consumer keeps it; NULL: nobody does */
};

struct mq_records *mq_records_new(void);

/* Frees a set; NULL is allowed. */
void mq_records_drop(struct mq_records *records);

/* Empties it and lets go of what it holds. */
void mq_records_reset(struct mq_records *records);

/* Room for n more records behind the last one; NULL when out of memory. The
 * caller adds what it has filled in to records->n and to the last part's n. */
struct mq_received *mq_records_room(struct mq_records *records, size_t n);

/* Begins the records of a partition, unless the last ones are of it too. */
mq_err mq_records_begin(struct mq_records *records, struct mq_sub_topic *topic, int32_t partition);

/* Holds memory that records point into; with MQ_E_NOMEM it has no new reference. */
mq_err mq_records_hold(struct mq_records *records, struct mq_held *held);

/* Forgets the records behind the n-th. */
void mq_records_cut(struct mq_records *records, size_t n);

#endif
