/* What the application's threads do: sending, waiting, closing. */
#include "producer/producer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/topic.h"
#include "record/records.h"

/* Name look-ups block, so they have a worker. */
#define WORKERS 1

/* How long before a sender gives up waiting for metadata the loop is asked what
 * is in the way: a quarter of its time, at most this. */
#define EXPLAIN_AHEAD_US 100000

#define WAIT_MAX_US (INT64_MAX / 4)

static int64_t now_us(const struct mq_producer *p)
{
	return mq_env_now_us(p->env);
}

int64_t mq_prod_deadline(const struct mq_producer *p, int timeout_ms)
{
	return now_us(p) + (int64_t)MQ_MAX(timeout_ms, 0) * 1000;
}

/* --- beginning and end ---------------------------------------------------------- */

static mq_err find_direct(struct mq_producer *p, mq_error *error)
{
	struct mq_address *addresses;
	int n;
	mq_err err =
	    mq_addresses_parse(mq_conf_str(p->conf, "bootstrap.servers"), &addresses, &n, error);

	if (err != MQ_OK)
		return err;
	if (addresses[0].inproc)
		memcpy(p->direct_name, addresses[0].host, sizeof(p->direct_name));
	free(addresses);
	return MQ_OK;
}

static mq_err start(struct mq_producer *p, const struct mq_dialer *dialer, mq_error *error)
{
	struct mq_client_args args = {.conf = p->conf, .dialer = dialer, .auto_create = true};
	struct mq_producer_settings settings;
	uint64_t seed;
	mq_err err = mq_producer_settings_read(&settings, p->conf, error);

	if (err == MQ_OK && !dialer)
		err = find_direct(p, error);
	if (err != MQ_OK)
		return err;
	p->env = mq_env_system_new(WORKERS);
	if (p->env)
		p->loop = mq_loop_new(p->env);
	if (!p->loop)
		return mq_fail(error, MQ_E_NOMEM, "out of memory or of descriptors");
	mq_env_random(p->env, &seed, sizeof(seed));
	mq_acc_init(&p->acc, &settings, p->logger, seed);
	mq_prod_sender_init(p);
	if (!p->has_timer)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	args.loop = p->loop;
	err = mq_client_new(&p->client, &args, error);
	if (err == MQ_OK)
		err = mq_loop_start(p->loop, "mq-producer", error);
	p->started = err == MQ_OK;
	if (err == MQ_OK)
		err = mq_chain_open(&p->chain, p->conf, error);
	return err;
}

mq_err mq_prod_new(struct mq_producer **out, const mq_conf *conf, const struct mq_dialer *dialer,
		   mq_error *error)
{
	struct mq_producer *p = mq_calloc(1, sizeof(*p));
	mq_err err;

	if (!p)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	p->forks = mq_env_forks();
	mq_mutex_init(&p->lock);
	mq_cond_init(&p->changed);
	mq_cond_init(&p->room);
	mq_list_init(&p->calls);
	mq_list_init(&p->unused);
	mq_ptxn_init(p);
	p->conf = mq_conf_dup(conf);
	if (p->conf) {
		p->logger = mq_conf_logger(p->conf);
		err = start(p, dialer, error);
	} else {
		err = mq_fail(error, MQ_E_NOMEM, "out of memory");
	}
	if (err != MQ_OK) {
		mq_prod_free(p);
		return err;
	}
	mq_conf_say_known(p->conf);
	*out = p;
	return MQ_OK;
}

void mq_prod_free(struct mq_producer *p)
{
	if (!p)
		return;
	if (p->started)
		(void)mq_prod_close(p, 0, NULL, NULL);
	else
		mq_client_free(p->client);
	if (p->loop) {
		mq_prod_sender_deinit(p);
		mq_acc_deinit(&p->acc);
	}
	mq_loop_free(p->loop);
	mq_env_system_free(p->env);
	mq_ptxn_deinit(p);
	mq_conf_free(p->conf);
	mq_cond_deinit(&p->room);
	mq_cond_deinit(&p->changed);
	mq_mutex_deinit(&p->lock);
	free(p);
}

/* --- waiting ------------------------------------------------------------------------ */

MQ_HOT void mq_prod_tell(struct mq_producer *p)
{
	if (p->n_waiting > 0)
		mq_cond_broadcast(&p->changed);
}

void mq_prod_tell_room(struct mq_producer *p)
{
	p->room_us = INT64_MAX;
	if (p->acc.n_blocked > 0)
		mq_cond_broadcast(&p->room);
}

bool mq_prod_wait(struct mq_producer *p, int64_t deadline_us)
{
	bool in_time;

	p->n_waiting++;
	in_time = mq_cond_wait(&p->changed, &p->lock, deadline_us);
	p->n_waiting--;
	return in_time;
}

mq_err mq_prod_fail_closed(mq_error *error)
{
	return mq_fail(error, MQ_E_CLOSED, "the producer is closed or closing");
}

static bool is_settled(const struct mq_acc_topic *topic)
{
	return topic->n > 0 || (topic->err != MQ_OK && !mq_err_retriable(topic->err));
}

/* What no waiting mends, such as a certificate that is not trusted. */
static bool is_hopeless(const struct mq_producer *p)
{
	return p->acc.why.code != MQ_OK && !mq_err_retriable(p->acc.why.code);
}

/* Until the topic's partitions are known. The lock is held. */
static mq_err wait_topic(struct mq_producer *p, struct mq_acc_topic *topic, int64_t deadline_us,
			 mq_error *error)
{
	int64_t began_us = now_us(p);
	int64_t ahead_us = MQ_MIN((deadline_us - began_us) / 4, EXPLAIN_AHEAD_US);

	topic->err = p->acc.why.code = MQ_OK;
	/* Who does not wait finds it known some time later. */
	topic->wanted = p->acc.want_metadata = true;
	mq_prod_wake(p);
	while (!is_settled(topic) && !is_hopeless(p) && p->state == MQ_PRODUCER_OPEN &&
	       now_us(p) < deadline_us) {
		topic->wanted = p->acc.want_metadata = true;
		p->explain_us = MQ_MIN(p->explain_us, deadline_us - ahead_us);
		mq_prod_wake(p);
		(void)mq_prod_wait(p, deadline_us);
	}
	if (topic->n > 0)
		return MQ_OK;
	if (is_settled(topic))
		return mq_fail(error, topic->err, "%.249s: %s", topic->name,
			       mq_err_text(topic->err));
	if (p->state != MQ_PRODUCER_OPEN)
		return mq_prod_fail_closed(error);
	if (is_hopeless(p))
		return mq_fail(error, p->acc.why.code, "%s", p->acc.why.text);
	return mq_fail(error, MQ_E_TIMED_OUT,
		       "the partitions of %.100s were not found out within %.1f s: %.300s",
		       topic->name, (double)(now_us(p) - began_us) / 1e6,
		       p->acc.why.code != MQ_OK ? p->acc.why.text : "no broker has answered");
}

/* The topic if it is the one that was sent to last, and all is well. */
static inline struct mq_acc_topic *same_topic(struct mq_producer *p, const char *name)
{
	struct mq_acc_topic *topic = mq_acc_same_topic(&p->acc, name);

	return topic && topic->n > 0 && p->state == MQ_PRODUCER_OPEN ? topic : NULL;
}

/* The topic with its partitions known. *deadline_us, if 0, is set where it has to wait.
 * The lock is held. */
static mq_err get_topic(struct mq_producer *p, const char *name, int64_t block_us,
			int64_t *deadline_us, struct mq_acc_topic **out, mq_error *error)
{
	if (!mq_acc_same_topic(&p->acc, name) && !mq_topic_name_ok(mq_str(name)))
		return mq_fail(error, MQ_E_ARG, "\"%.260s\" cannot be a topic", name);
	*out = mq_acc_topic(&p->acc, name);
	if (*out && (*out)->n > 0)
		return MQ_OK;
	if (!*out)
		return mq_fail(error, MQ_E_NOMEM, "out of memory, or too many topics");
	if (*deadline_us == 0)
		*deadline_us = now_us(p) + block_us;
	return wait_topic(p, *out, *deadline_us, error);
}

/* For how long a send may wait. */
static int64_t block_us(const struct mq_producer *p)
{
	return mq_prod_is_reporter(p) ? 0 : MQ_MIN(p->acc.settings.block_us, WAIT_MAX_US);
}

/* Makes it the topic that was sent to last. */
static __attribute__((noinline)) mq_err find_topic(struct mq_producer *p, const char *name,
						   int64_t *deadline_us, mq_error *error)
{
	struct mq_acc_topic *topic;

	if (p->state != MQ_PRODUCER_OPEN)
		return mq_prod_fail_closed(error);
	return get_topic(p, name, block_us(p), deadline_us, &topic, error);
}

/* --- sending -------------------------------------------------------------------------- */

static inline bool bytes_ok(mq_bytes b)
{
	return b.data || b.size == 0;
}

mq_err mq_prod_check_record(const mq_record *record, mq_error *error)
{
	if (!record || !record->topic)
		return mq_fail(error, MQ_E_ARG, "the record or its topic is NULL");
	if (!bytes_ok(record->key) || !bytes_ok(record->value) ||
	    (!record->headers && record->n_headers > 0))
		return mq_fail(error, MQ_E_ARG, "a pointer is NULL whose size is not 0");
	if (record->timestamp.set && record->timestamp.value < 0)
		return mq_fail(error, MQ_E_ARG, "the timestamp %lld is before 1970",
			       (long long)record->timestamp.value);
	for (size_t i = 0; i < record->n_headers; i++)
		if (!record->headers[i].key.data || !bytes_ok(record->headers[i].value))
			return mq_fail(error, MQ_E_ARG, "header %zu has no key", i);
	return MQ_OK;
}

/* The size of a batch for this record alone; 0 with error: it is too big. */
static size_t batch_size(const struct mq_producer *p, const mq_record *record, mq_error *error)
{
	const struct mq_producer_settings *s = &p->acc.settings;
	size_t size = mq_builder_batch_size_one(record->key, record->value,
						(const struct mq_header_view *)record->headers,
						record->n_headers);

	if (size > 0 && size <= s->request_max && size <= s->memory_max)
		return size;
	mq_fail(error, MQ_E_TOO_BIG, "the record takes %zu bytes, and %s is %zu", size,
		size > s->request_max ? "max.request.size" : "buffer.memory",
		size > s->request_max ? s->request_max : s->memory_max);
	return 0;
}

/* Room in a batch for this record alone; 0 with error: it is too big. Exact only where
 * that is more than a batch has anyway. */
static inline size_t room_for(const struct mq_producer *p, const mq_record *record, mq_error *error)
{
	const struct mq_producer_settings *s = &p->acc.settings;
	size_t size = record->key.size + record->value.size + MQ_BATCH_ONE_OVERHEAD;

	if (MQ_LIKELY(record->n_headers == 0 && size <= s->batch_size && size <= s->request_max &&
		      size <= s->memory_max))
		return size;
	return batch_size(p, record, error);
}

/* Anything from here on is measured before it is taken. */
static inline bool is_big(const struct mq_producer *p, const mq_record *record)
{
	return record->n_headers > 0 || record->key.size > p->acc.settings.request_max / 4 ||
	       record->value.size > p->acc.settings.request_max / 4;
}

/* The time for new records of a batch that is open for long. */
static int64_t stamp_again(struct mq_producer *p, struct mq_acc_batch *batch)
{
	int64_t coarse_us = mq_env_now_coarse_us(p->env);

	if (coarse_us - batch->stamped_us >= 1000) {
		batch->stamped_us = coarse_us;
		batch->stamp_ms = mq_env_wall_ms(p->env);
	}
	return batch->stamp_ms;
}

/* A batch was opened: somebody has to look at it when it has lingered. */
static void opened(struct mq_producer *p, struct mq_acc_part *part, struct mq_acc_batch *batch)
{
	const struct mq_producer_settings *s = &p->acc.settings;
	bool ready = s->linger_us == 0 || batch->list.prev != &part->queue;
	/* The answers of a broker that has its fill of requests come first. */
	bool waits = MQ_LIKELY(part->leader != NULL) &&
		     MQ_UNLIKELY(part->leader->in_flight >= s->in_flight_max);
	int64_t due_us;

	if (MQ_LIKELY(p->direct_name[0] && ready && !waits)) {
		mq_prod_pump_at(p, batch->opened_us);
		return;
	}
	if (waits)
		due_us = mq_acc_stale_us(&p->acc, batch);
	else
		due_us = batch->opened_us + (ready ? 0 : s->linger_us);
	if (due_us < p->timer_us)
		mq_prod_wake(p);
}

/* Waits for memory, with the lock; false: the time is over, and none was freed. */
static bool wait_memory(struct mq_producer *p, int64_t deadline_us)
{
	bool in_time = now_us(p) < deadline_us;
	size_t used = p->acc.memory_used;

	if (!in_time)
		return false;
	p->acc.n_blocked++;
	mq_prod_pump(p);
	/* The pump may have made room by itself. */
	if (p->acc.memory_used >= used)
		in_time = mq_cond_wait(&p->room, &p->lock, deadline_us);
	p->acc.n_blocked--;
	return in_time || p->acc.memory_used < used || now_us(p) < deadline_us;
}

static mq_err fail_full(const struct mq_producer *p, const struct mq_acc_part *part,
			mq_error *error)
{
	const struct mq_acc_batch *batch = NULL;

	if (!mq_list_empty(&p->acc.all))
		batch = mq_list_entry(p->acc.all.next, struct mq_acc_batch, all);
	return mq_fail(error, MQ_E_FULL,
		       "no memory for %.249s-%d: buffer.memory is used up%s%.180s",
		       part->topic->name, part->index, batch && batch->error.text[0] ? "; " : "",
		       batch ? batch->error.text : "");
}

/* Puts a short record into the open batch of its partition; false: it is none, or
 * has no room, or something else is out of the ordinary. The lock is held. */
static inline bool put_short(struct mq_producer *p, struct mq_acc_part *part,
			     const mq_record *record, mq_sent_cb *done, void *arg)
{
	struct mq_acc_batch *batch = mq_acc_open_batch(part);
	int64_t timestamp = record->timestamp.value;

	if (!batch)
		return false;
	if (!record->timestamp.set) {
		if (batch->overdue)
			return false;
		timestamp = batch->stamp_ms;
	}
	return mq_acc_append_short(&p->acc, batch, record, timestamp, done, arg);
}

/* Puts any record there. One that has no time gets what was read when the batch
 * was opened. MQ_E_FULL: there is no open batch, or no room in it; MQ_E_NOMEM. */
static mq_err put(struct mq_producer *p, struct mq_acc_part *part, const mq_record *record,
		  mq_sent_cb *done, void *arg)
{
	struct mq_acc_batch *batch = mq_acc_open_batch(part);
	int64_t timestamp = record->timestamp.value;

	if (!batch)
		return MQ_E_FULL;
	if (!record->timestamp.set)
		timestamp = batch->overdue ? stamp_again(p, batch) : batch->stamp_ms;
	return mq_acc_append(&p->acc, batch, record, timestamp, done, arg);
}

/* The same where a batch has to be opened, and its memory waited for maybe: until
 * the deadline if metadata was waited for, else for as long as a send may. */
static mq_err put_somewhere(struct mq_producer *p, struct mq_acc_part *part,
			    const mq_record *record, mq_sent_cb *done, void *arg,
			    int64_t deadline_us, mq_error *error)
{
	size_t size = room_for(p, record, error);
	int64_t at_us = now_us(p);
	mq_err err;

	if (MQ_LIKELY(deadline_us == 0))
		deadline_us = at_us + block_us(p);
	if (MQ_UNLIKELY(size == 0))
		return MQ_E_TOO_BIG;
	for (;;) {
		err = mq_acc_open(&p->acc, part, size, at_us, mq_env_wall_ms(p->env));
		if (err != MQ_E_FULL)
			break;
		if (!wait_memory(p, deadline_us))
			return fail_full(p, part, error);
		if (p->state != MQ_PRODUCER_OPEN)
			return mq_prod_fail_closed(error);
		/* Meanwhile another may have opened a batch. */
		err = put(p, part, record, done, arg);
		if (err != MQ_E_FULL)
			return err;
		at_us = now_us(p);
	}
	if (err == MQ_OK && !put_short(p, part, record, done, arg))
		err = put(p, part, record, done, arg);
	if (err == MQ_OK)
		opened(p, part, mq_acc_open_batch(part));
	return err;
}

/* The partition, in turn where nothing else decides. */
static inline struct mq_acc_part *choose(struct mq_producer *p, struct mq_acc_topic *topic,
					 const mq_record *record, mq_error *error)
{
	if (!record->key.data && !record->partition.set && topic->n_available > 0 &&
	    p->acc.settings.partitioner <= MQ_PARTITION_ROUND_ROBIN)
		return mq_acc_next_part(topic);
	return mq_acc_choose(&p->acc, topic, record, error);
}

static MQ_HOT __attribute__((noinline)) mq_err
put_any(struct mq_producer *p, struct mq_acc_part *part, const mq_record *record, mq_sent_cb *done,
	void *arg, int64_t deadline_us, mq_error *error)
{
	mq_err err = MQ_E_FULL;

	if (MQ_UNLIKELY(mq_acc_open_batch(part) != NULL))
		err = put(p, part, record, done, arg);
	if (MQ_LIKELY(err == MQ_E_FULL))
		err = put_somewhere(p, part, record, done, arg, deadline_us, error);
	if (err == MQ_E_NOMEM)
		mq_fail(error, err, "out of memory");
	return err;
}

/* Sends a record of which only room and place have to be found. */
static MQ_HOT mq_err send_checked(struct mq_producer *p, const mq_record *record, mq_sent_cb *done,
				  void *arg, mq_error *error)
{
	struct mq_acc_topic *topic;
	struct mq_acc_part *part = NULL;
	int64_t deadline_us = 0;
	mq_err err = MQ_OK;

	mq_mutex_lock(&p->lock);
	while (!(topic = same_topic(p, record->topic)) && err == MQ_OK)
		err = find_topic(p, record->topic, &deadline_us, error);
	if (err == MQ_OK) {
		part = choose(p, topic, record, error);
		err = part ? MQ_OK : MQ_E_ARG;
	}
	if (MQ_UNLIKELY(p->acc.settings.transactional_id) && err == MQ_OK)
		err = mq_ptxn_put(p, part, error);
	if (err == MQ_OK && !put_short(p, part, record, done, arg))
		err = put_any(p, part, record, done, arg, deadline_us, error);
	mq_mutex_unlock(&p->lock);
	return err;
}

static mq_err send_measured(struct mq_producer *p, const mq_record *record, mq_sent_cb *done,
			    void *arg, mq_error *error)
{
	if (is_big(p, record) && batch_size(p, record, error) == 0)
		return MQ_E_TOO_BIG;
	return send_checked(p, record, done, arg, error);
}

static mq_err send_chained(struct mq_producer *p, const mq_record *record, mq_sent_cb *done,
			   void *arg, mq_error *error)
{
	mq_error cause = {MQ_OK, ""};
	struct mq_memory memory;
	mq_record changed = *record;
	mq_sent sent;

	mq_arena_init(&memory.arena, 0);
	mq_chain_on_send(&p->chain, &changed, &memory);
	if (mq_prod_check_record(&changed, &cause) == MQ_OK)
		(void)send_measured(p, &changed, done, arg, &cause);
	if (cause.code != MQ_OK) {
		sent = (mq_sent){.err = cause.code,
				 .text = cause.text,
				 .topic = record->topic,
				 .partition =
				     record->partition.set ? (int32_t)record->partition.value : -1,
				 .offset = -1,
				 .timestamp = record->timestamp.set ? record->timestamp.value : -1};
		mq_chain_on_acknowledgement(&p->chain, &sent);
		if (error)
			*error = cause;
	}
	mq_arena_reset(&memory.arena);
	return cause.code;
}

/* Any record: what is wrong with it is said, and interceptors are asked. */
static __attribute__((noinline)) mq_err send_any(struct mq_producer *p, const mq_record *record,
						 mq_sent_cb *done, void *arg, mq_error *error)
{
	mq_err err = mq_prod_check_record(record, error);

	if (err != MQ_OK)
		return err;
	return p->chain.n > 0 ? send_chained(p, record, done, arg, error)
			      : send_measured(p, record, done, arg, error);
}

MQ_HOT mq_err mq_prod_send(struct mq_producer *p, const mq_record *record, mq_sent_cb *done,
			   void *arg, mq_error *error)
{
	if (p->chain.n > 0 || !record || !record->topic || record->timestamp.set ||
	    is_big(p, record) || !bytes_ok(record->key) || !bytes_ok(record->value))
		return send_any(p, record, done, arg, error);
	return send_checked(p, record, done, arg, error);
}

/* --- the rest -------------------------------------------------------------------------- */

/* Until every batch up to this one is reported. The lock is held. */
static bool wait_serial(struct mq_producer *p, uint64_t serial, int64_t deadline_us)
{
	while (!mq_list_empty(&p->acc.all)) {
		if (mq_list_entry(p->acc.all.next, struct mq_acc_batch, all)->serial > serial)
			break;
		if (!mq_prod_wait(p, deadline_us) && now_us(p) >= deadline_us)
			return false;
	}
	return true;
}

mq_err mq_prod_flush(struct mq_producer *p, int timeout_ms, mq_error *error)
{
	int64_t deadline_us = mq_prod_deadline(p, timeout_ms);
	uint64_t serial;
	mq_err err = MQ_OK;

	mq_mutex_lock(&p->lock);
	serial = p->acc.last_serial;
	if (mq_prod_is_reporter(p)) {
		err = mq_fail(error, MQ_E_STATE, "flushing in a callback would wait for itself");
	} else {
		p->acc.flush_serial = serial;
		mq_prod_pump(p);
		if (!wait_serial(p, serial, deadline_us))
			err = mq_fail(error, MQ_E_TIMED_OUT,
				      "%llu records were still on their way after %d ms",
				      (unsigned long long)p->acc.counters.records_waiting,
				      timeout_ms);
	}
	mq_mutex_unlock(&p->lock);
	return err;
}

mq_err mq_prod_purge(struct mq_producer *p, unsigned what, mq_error *error)
{
	int64_t deadline_us = now_us(p) + MQ_MIN(p->acc.settings.block_us, WAIT_MAX_US);
	bool in_time = true;

	mq_mutex_lock(&p->lock);
	mq_acc_give_up(&p->acc, what, MQ_E_PURGED, "given up by the application");
	mq_prod_report(p);
	/* Callbacks of records that ended before may be running on another thread. */
	while (in_time && (p->reporting || !mq_list_empty(&p->acc.done)) && !mq_prod_is_reporter(p))
		in_time = mq_prod_wait(p, deadline_us) || now_us(p) < deadline_us;
	mq_prod_wake(p);
	mq_mutex_unlock(&p->lock);
	return in_time ? MQ_OK
		       : mq_fail(error, MQ_E_TIMED_OUT,
				 "callbacks were still running after max.block.ms");
}

mq_err mq_prod_partitions_for(struct mq_producer *p, const char *name, int timeout_ms,
			      int32_t *n_partitions, mq_error *error)
{
	struct mq_acc_topic *topic;
	int64_t deadline_us = 0;
	mq_err err;

	mq_mutex_lock(&p->lock);
	if (mq_prod_is_reporter(p))
		err = mq_fail(error, MQ_E_STATE, "asking in a callback would wait for itself");
	else if (p->state != MQ_PRODUCER_OPEN)
		err = mq_prod_fail_closed(error);
	else
		err = get_topic(p, name, (int64_t)MQ_MAX(timeout_ms, 0) * 1000, &deadline_us,
				&topic, error);
	if (err == MQ_OK) {
		*n_partitions = topic->n;
		topic->used_us = now_us(p);
	}
	mq_mutex_unlock(&p->lock);
	return err;
}

/* The lock is held. */
static void close_first(struct mq_producer *p, int64_t deadline_us)
{
	p->state = MQ_PRODUCER_CLOSING;
	p->acc.closing = true;
	mq_ptxn_close(p, deadline_us);
	mq_prod_tell(p);
	mq_prod_tell_room(p);
	mq_prod_pump(p);
	if (!wait_serial(p, UINT64_MAX, deadline_us)) {
		mq_acc_give_up(&p->acc, MQ_PURGE_QUEUE | MQ_PURGE_IN_FLIGHT, MQ_E_CLOSED,
			       "the producer was closed before it was delivered");
		mq_prod_report(p);
		/* Nothing is waited for but callbacks, which own what they are
		 * called with: no deadline could take that from them. */
		(void)wait_serial(p, UINT64_MAX, MQ_NEVER_US);
	}
	mq_mutex_unlock(&p->lock);
	mq_prod_cancel(p);
	mq_chain_close(&p->chain);
	mq_mutex_lock(&p->lock);
	p->state = MQ_PRODUCER_CLOSED;
	mq_prod_tell(p);
}

mq_err mq_prod_close(struct mq_producer *p, int timeout_ms, uint64_t *n_lost, mq_error *error)
{
	int64_t deadline_us = mq_prod_deadline(p, timeout_ms);
	uint64_t failed, lost;
	mq_err err = MQ_OK;

	mq_mutex_lock(&p->lock);
	failed = p->acc.counters.records_failed;
	if (mq_prod_is_reporter(p)) {
		mq_mutex_unlock(&p->lock);
		return mq_fail(error, MQ_E_STATE, "closing in a callback would wait for itself");
	}
	if (p->state == MQ_PRODUCER_OPEN)
		close_first(p, deadline_us);
	/* The first close ends by its own deadline, callbacks aside. */
	while (p->state != MQ_PRODUCER_CLOSED)
		(void)mq_prod_wait(p, MQ_NEVER_US);
	lost = p->acc.counters.records_failed - failed;
	mq_mutex_unlock(&p->lock);
	if (n_lost)
		*n_lost = lost;
	if (lost > 0)
		err = mq_fail(error, MQ_E_TIMED_OUT, "%llu records were not delivered",
			      (unsigned long long)lost);
	return err;
}
