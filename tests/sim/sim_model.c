/* See sim_model.h. */
#include "sim/sim_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/batch.h"
#include "record/records.h"
#include "sim/sim_fs.h"

#define VALUE_MAX      2048
#define PARTITIONS_MAX 16
#define STREAMS_MAX    64
#define TOPICS_MAX     4

enum fate { QUEUED, ACKED, FAILED, REFUSED };

struct record {
	enum fate fate;
	bool maybe;   /* it may have been lost with the power */
	int8_t topic; /* of the report; -1: none */
	int32_t partition;
	int64_t offset;
};

struct stream {
	struct sim_promise promise;
	struct record *records;
	uint32_t n, n_open, n_acked;
	char key[64], value[VALUE_MAX]; /* of the last one */
};

/* What consumers have found at the offsets of a partition. */
struct found {
	uint64_t *records; /* stream and number, plus 1; 0: nothing */
	int64_t n;
};

struct sim_model {
	struct found found[TOPICS_MAX][PARTITIONS_MAX];
	const char *const *topics;
	int n_topics;
	struct stream streams[STREAMS_MAX];
	uint32_t n_streams;
	bool damaged; /* power went where that may lose records in the middle */
};

/* One look at all logs. Several may be under way: one of a broker that is dead
 * already, and one of the next. */
enum { SEEN = 1, WAS_ACKED = 2 };

struct check {
	struct sim_model *model;
	struct sim_broker *broker;
	struct sim_env *disk;
	uint8_t *seen[STREAMS_MAX]; /* SEEN, WAS_ACKED of each record */
	uint32_t n[STREAMS_MAX];    /* records there were when it began */
};

/* The walk through one partition. */
struct walk {
	struct sim_model *model;
	struct check *check;
	int8_t topic;
	int32_t partition;
	int64_t last_offset;
	int64_t last[STREAMS_MAX]; /* number of the stream's last record; -1 */
	uint64_t n;
};

struct sim_model *sim_model_new(const char *const *topics, int n_topics)
{
	struct sim_model *model = sim_alloc(sizeof(*model));

	model->topics = topics;
	model->n_topics = n_topics;
	return model;
}

void sim_model_free(struct sim_model *model)
{
	for (uint32_t i = 0; i < model->n_streams; i++)
		free(model->streams[i].records);
	for (int t = 0; t < TOPICS_MAX; t++)
		for (int p = 0; p < PARTITIONS_MAX; p++)
			free(model->found[t][p].records);
	free(model);
}

uint32_t sim_model_stream(struct sim_model *model, struct sim_promise promise)
{
	sim_check(model->n_streams < STREAMS_MAX, "too many streams");
	model->streams[model->n_streams].promise = promise;
	return model->n_streams++;
}

/* --- records ------------------------------------------------------------------------- */

/* Contents follow from the number: mostly small, some large, some well compressed. */
static size_t make_value(char value[VALUE_MAX], uint32_t stream, uint32_t number)
{
	uint64_t x = sim_mix(((uint64_t)stream << 32) | number);
	int n = snprintf(value, VALUE_MAX, "%u:%u:", stream, number);
	size_t more = x % 8 == 0 ? x / 8 % 1500 : x / 8 % 40;

	for (size_t i = 0; i < more; i++)
		value[(size_t)n + i] = x & 64 ? 'x' : (char)('a' + sim_mix(x + i) % 26);
	return (size_t)n + more;
}

static size_t make_key(char key[64], uint32_t stream, uint32_t number)
{
	uint64_t x = sim_mix(((uint64_t)number << 32) | stream);

	return x % 3 == 0 ? 0 : (size_t)snprintf(key, 64, "k%llu", (unsigned long long)(x % 50));
}

uint32_t sim_model_next(struct sim_model *model, uint32_t stream, mq_bytes *key, mq_bytes *value)
{
	struct stream *s = &model->streams[stream];
	uint32_t number = s->n++;
	size_t key_size;

	s->records = sim_grow(s->records, s->n, sizeof(s->records[0]));
	s->records[number] = (struct record){.topic = -1, .partition = -1, .offset = -1};
	s->n_open++;
	*value = mq_mem(s->value, make_value(s->value, stream, number));
	key_size = make_key(s->key, stream, number);
	*key = mq_mem(key_size ? s->key : NULL, key_size);
	return number;
}

void sim_model_refused(struct sim_model *model, uint32_t stream, uint32_t number)
{
	struct record *record = &model->streams[stream].records[number];

	sim_check(record->fate == QUEUED, "%u:%u was refused and reported", stream, number);
	record->fate = REFUSED;
	model->streams[stream].n_open--;
}

static int8_t topic_of(const struct sim_model *model, const char *name)
{
	for (int i = 0; i < model->n_topics; i++)
		if (strcmp(model->topics[i], name) == 0)
			return (int8_t)i;
	sim_fail("a report names the topic %s", name);
}

void sim_model_reported(struct sim_model *model, uint32_t stream, uint32_t number,
			const mq_sent *sent)
{
	struct stream *s = &model->streams[stream];
	struct record *record = &s->records[number];

	sim_trace("report %u:%u %s-%d %d at %lld%s%s", stream, number, sent->topic, sent->partition,
		  (int)sent->err, (long long)sent->offset, sent->err ? ": " : "",
		  sent->err ? sent->text : "");
	sim_check(record->fate == QUEUED, "%u:%u is reported twice", stream, number);
	record->fate = sent->err == MQ_OK ? ACKED : FAILED;
	record->topic = topic_of(model, sent->topic);
	record->partition = sent->partition;
	record->offset = sent->offset;
	s->n_open--;
	s->n_acked += sent->err == MQ_OK;
}

uint32_t sim_model_open(const struct sim_model *model, uint32_t stream)
{
	return model->streams[stream].n_open;
}

uint32_t sim_model_acked(const struct sim_model *model, uint32_t stream)
{
	return model->streams[stream].n_acked;
}

void sim_model_power_lost(struct sim_model *model)
{
	for (uint32_t i = 0; i < model->n_streams; i++) {
		struct stream *s = &model->streams[i];

		if (s->promise.durable)
			continue;
		model->damaged = true;
		for (uint32_t k = 0; k < s->n; k++)
			s->records[k].maybe = true;
	}
}

/* --- checking ------------------------------------------------------------------------------ */

/* Which record this is; its contents have to be what was sent. */
static void identify(const struct sim_model *model, mq_bytes key, mq_bytes value, int64_t offset,
		     uint32_t *stream, uint32_t *number)
{
	char expected[VALUE_MAX], text[32];
	size_t size;

	snprintf(text, sizeof(text), "%.*s", (int)MQ_MIN(value.size, 31u),
		 (const char *)value.data);
	sim_check(sscanf(text, "%u:%u:", stream, number) == 2 && *stream < model->n_streams &&
		      *number < model->streams[*stream].n,
		  "an invented record at %lld: %s", (long long)offset, text);
	size = make_value(expected, *stream, *number);
	sim_check(value.size == size && memcmp(value.data, expected, size) == 0,
		  "%u:%u has another value at %lld", *stream, *number, (long long)offset);
	size = make_key(expected, *stream, *number);
	sim_check(size == 0 ? !key.data : key.size == size && memcmp(key.data, expected, size) == 0,
		  "%u:%u has another key at %lld", *stream, *number, (long long)offset);
}

/* A consumer may have seen this offset: then it has to be the same record. */
static void check_found(const struct sim_model *model, int topic, int32_t partition, int64_t offset,
			uint32_t stream, uint32_t number)
{
	const struct found *found = &model->found[topic][partition];
	uint64_t id = offset < found->n ? found->records[offset] : 0;

	sim_check(id == 0 || id == (((uint64_t)stream << 32) | number) + 1 || model->damaged,
		  "%u:%u is at %s-%d %lld, where a consumer has found %u:%u", stream, number,
		  model->topics[topic], partition, (long long)offset, (unsigned)((id - 1) >> 32),
		  (unsigned)(id - 1));
}

void sim_model_consumed(struct sim_model *model, const char *topic, int32_t partition,
			int64_t offset, mq_bytes key, mq_bytes value)
{
	int t = topic_of(model, topic);
	struct found *found = &model->found[t][partition];
	uint32_t stream, number;

	identify(model, key, value, offset, &stream, &number);
	check_found(model, t, partition, offset, stream, number);
	if (offset >= found->n) {
		found->records =
		    sim_grow(found->records, (size_t)offset + 1, sizeof(found->records[0]));
		memset(found->records + found->n, 0,
		       (size_t)(offset + 1 - found->n) * sizeof(found->records[0]));
		found->n = offset + 1;
	}
	found->records[offset] = (((uint64_t)stream << 32) | number) + 1;
}

static void check_place(struct walk *walk, uint32_t stream, uint32_t number, int64_t offset)
{
	struct sim_model *model = walk->model;
	struct stream *s = &model->streams[stream];
	struct record *record = &s->records[number];
	bool again = false;

	sim_check(record->fate != REFUSED, "%u:%u was refused and is at %lld", stream, number,
		  (long long)offset);
	if (number < walk->check->n[stream]) {
		again = walk->check->seen[stream][number] & SEEN;
		walk->check->seen[stream][number] |= SEEN;
	}
	if (!s->promise.once || record->maybe)
		return;
	sim_check(!again, "%u:%u is there twice, now at %s-%d %lld", stream, number,
		  model->topics[walk->topic], walk->partition, (long long)offset);
	sim_check(record->fate != ACKED || record->offset < 0 ||
		      (record->topic == walk->topic && record->partition == walk->partition &&
		       record->offset == offset),
		  "%u:%u was acknowledged at %s-%d %lld and is at %s-%d %lld", stream, number,
		  record->topic >= 0 ? model->topics[record->topic] : "?", record->partition,
		  (long long)record->offset, model->topics[walk->topic], walk->partition,
		  (long long)offset);
	sim_check(walk->last[stream] < (int64_t)number, "%u:%u comes after %u:%lld, at %s-%d %lld",
		  stream, number, stream, (long long)walk->last[stream], model->topics[walk->topic],
		  walk->partition, (long long)offset);
	walk->last[stream] = number;
}

/* What a process does after its end proves nothing. */
static bool is_over(const struct check *check)
{
	return sim_broker_disk(check->broker) != check->disk;
}

static void look(void *arg, const struct mq_batch *batch, const struct mq_record_view *view,
		 int64_t offset)
{
	struct walk *walk = arg;
	struct sim_model *model = walk->model;
	uint32_t stream, number;

	(void)batch;
	if (is_over(walk->check))
		return;
	if (!view) {
		sim_check(model->damaged, "%s-%d cannot be read at %lld",
			  model->topics[walk->topic], walk->partition, (long long)offset);
		return;
	}
	sim_check(offset > walk->last_offset, "offset %lld comes after %lld", (long long)offset,
		  (long long)walk->last_offset);
	sim_check(offset == walk->last_offset + 1 || model->damaged,
		  "%s-%d has nothing between %lld and %lld", model->topics[walk->topic],
		  walk->partition, (long long)walk->last_offset, (long long)offset);
	walk->last_offset = offset;
	walk->n++;
	identify(model, view->key, view->value, offset, &stream, &number);
	check_found(model, walk->topic, walk->partition, offset, stream, number);
	check_place(walk, stream, number, offset);
}

/* What was acknowledged and not seen. */
static void check_missing(const struct check *check)
{
	const struct sim_model *model = check->model;

	for (uint32_t i = 0; i < model->n_streams; i++) {
		const struct stream *s = &model->streams[i];

		for (uint32_t k = 0; k < check->n[i] && s->promise.stored; k++) {
			const struct record *record = &s->records[k];

			sim_check(check->seen[i][k] != WAS_ACKED || record->maybe,
				  "%u:%u is lost: it was acknowledged at %s-%d %lld", i, k,
				  model->topics[record->topic], record->partition,
				  (long long)record->offset);
		}
	}
}

void sim_model_check(struct sim_model *model, struct sim_broker *broker, struct mq_core *core,
		     struct sim_env *disk, bool complete)
{
	struct check check = {.model = model, .broker = broker, .disk = disk};
	bool offline = false;

	for (uint32_t i = 0; i < model->n_streams; i++) {
		check.n[i] = model->streams[i].n;
		check.seen[i] = sim_alloc(check.n[i] + 1);
		for (uint32_t k = 0; k < check.n[i]; k++)
			check.seen[i][k] =
			    model->streams[i].records[k].fate == ACKED ? WAS_ACKED : 0;
	}
	for (int t = 0; t < model->n_topics; t++)
		for (int32_t p = 0; p < PARTITIONS_MAX; p++) {
			struct walk walk = {.model = model,
					    .check = &check,
					    .topic = (int8_t)t,
					    .partition = p,
					    .last_offset = -1};
			int64_t hw;

			memset(walk.last, -1, sizeof(walk.last));
			hw = sim_read_log(core, disk, model->topics[t], p, look, &walk);
			if (hw >= 0)
				sim_trace("%s-%d has %llu records up to %lld", model->topics[t], p,
					  (unsigned long long)walk.n, (long long)hw);
			else if (hw == -2)
				offline = true;
			sim_check(hw < 0 || hw >= model->found[t][p].n || model->damaged ||
				      is_over(&check),
				  "%s-%d ends at %lld, and a consumer has read up to %lld",
				  model->topics[t], p, (long long)hw,
				  (long long)model->found[t][p].n);
		}
	sim_check(!complete || !offline, "a partition is offline though nothing is broken");
	if (!offline && !is_over(&check))
		check_missing(&check);
	for (uint32_t i = 0; i < model->n_streams; i++)
		free(check.seen[i]);
}
