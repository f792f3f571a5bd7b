/* Sets of records, and their face to the application. */
#include "consumer/records.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/records.h"

#define ITEMS_MIN 64u

/* --- filling ----------------------------------------------------------------- */

struct mq_records *mq_records_new(void)
{
	return mq_calloc(1, sizeof(struct mq_records));
}

static void destroy(struct mq_records *records)
{
	mq_records_reset(records);
	free(records->items);
	free(records->parts);
	free(records->held);
	free(records);
}

void mq_records_drop(struct mq_records *records)
{
	if (records)
		destroy(records);
}

void mq_records_reset(struct mq_records *records)
{
	for (size_t i = 0; i < records->n_held; i++)
		mq_held_unref(records->held[i]);
	for (size_t i = 0; i < records->n_parts; i++)
		mq_sub_topic_unref(records->parts[i].topic);
	records->n = records->at = 0;
	records->n_parts = 0;
	records->n_held = 0;
	records->place = NULL;
}

/* Room for one more element than there are. */
static bool room(void **array, size_t n, size_t *capacity, size_t size)
{
	size_t more = MQ_MAX(*capacity * 2, 8u);
	void *p;

	if (n < *capacity)
		return true;
	p = mq_reallocarray(*array, more, size);
	if (!p)
		return false;
	*array = p;
	*capacity = more;
	return true;
}

struct mq_received *mq_records_room(struct mq_records *records, size_t n)
{
	size_t capacity = MQ_MAX(records->n + n, MQ_MAX(records->capacity * 2, ITEMS_MIN));
	struct mq_received *items;

	if (records->capacity - records->n < n) {
		items = mq_reallocarray(records->items, capacity, sizeof(*items));
		if (!items)
			return NULL;
		records->items = items;
		records->capacity = capacity;
	}
	return records->items + records->n;
}

mq_err mq_records_hold(struct mq_records *records, struct mq_held *held)
{
	void *array = records->held;

	if (records->n_held > 0 && records->held[records->n_held - 1] == held)
		return MQ_OK;
	if (!room(&array, records->n_held, &records->held_capacity, sizeof(*records->held)))
		return MQ_E_NOMEM;
	records->held = array;
	records->held[records->n_held++] = mq_held_ref(held);
	return MQ_OK;
}

mq_err mq_records_begin(struct mq_records *records, struct mq_sub_topic *topic, int32_t partition)
{
	const struct mq_records_part *last;
	void *array = records->parts;

	mq_records_cut(records, records->n); /* a part that has got no records */
	last = records->n_parts > 0 ? &records->parts[records->n_parts - 1] : NULL;
	if (last && last->topic == topic && last->partition == partition)
		return MQ_OK;
	if (!room(&array, records->n_parts, &records->parts_capacity, sizeof(*last)))
		return MQ_E_NOMEM;
	records->parts = array;
	records->parts[records->n_parts++] =
	    (struct mq_records_part){mq_sub_topic_ref(topic), partition, records->n, 0};
	return MQ_OK;
}

void mq_records_cut(struct mq_records *records, size_t n)
{
	while (records->n_parts > 0) {
		struct mq_records_part *part = &records->parts[records->n_parts - 1];

		part->n = part->first < n ? MQ_MIN(part->n, n - part->first) : 0;
		if (part->n > 0)
			break;
		mq_sub_topic_unref(part->topic);
		records->n_parts--;
	}
	records->n = MQ_MIN(records->n, n);
}

/* --- the application's side ------------------------------------------------------ */

size_t mq_records_count(const mq_records *records)
{
	return records ? records->n : 0;
}

const mq_received *mq_records_all(const mq_records *records)
{
	return records ? records->items : NULL;
}

const mq_received *mq_records_next(mq_records *records)
{
	if (!records || records->at >= records->n)
		return NULL;
	return &records->items[records->at++];
}

size_t mq_records_partitions(const mq_records *records)
{
	return records ? records->n_parts : 0;
}

const mq_received *mq_records_of(const mq_records *records, size_t at, size_t *n)
{
	const struct mq_records_part *part;

	*n = 0;
	if (!records || at >= records->n_parts)
		return NULL;
	part = &records->parts[at];
	*n = part->n;
	return records->items + part->first;
}

mq_records *mq_records_take(mq_records *records)
{
	if (records && records->place) {
		*records->place = NULL;
		records->place = NULL;
	}
	return records;
}

void mq_records_free(mq_records *records)
{
	if (records)
		destroy(records);
}

void mq_headers_init(mq_headers *headers, const mq_received *record)
{
	headers->at = record->headers;
	headers->end =
	    record->headers ? (const uint8_t *)record->headers + record->headers_size : NULL;
	headers->left = record->n_headers;
}

bool mq_headers_next(mq_headers *headers, mq_header *header)
{
	struct mq_header_iter it = {headers->at, headers->end, (int32_t)headers->left};
	struct mq_header_view view;

	if (!mq_header_iter_next(&it, &view))
		return false;
	header->key = view.key;
	header->value = view.value;
	headers->at = it.at;
	headers->left = (uint32_t)it.left;
	return true;
}

bool mq_received_header(const mq_received *record, const char *key, mq_bytes *value)
{
	mq_headers headers;
	mq_header header;
	bool found = false;

	mq_headers_init(&headers, record);
	while (mq_headers_next(&headers, &header)) {
		if (mq_bytes_eq(header.key, mq_str(key))) {
			*value = header.value;
			found = true;
		}
	}
	return found;
}
