/* See sim_app.h. */
#include "sim/sim_app.h"

#include <stdlib.h>

#include <mq/producer.h>

#include "sim/sim_fs.h"

#define PRODUCERS_MAX 3
#define THREADS_MAX   2

struct app {
	struct sim_apps *all;
	mq_producer *producer;
	struct sim_conf conf;
	struct sim_promise promise;
	int32_t acks;
	int64_t delivery_ms, request_ms;
	unsigned n_threads, n_running;
	bool explicit_partitions;
	int linger_ms;
};

struct thread {
	struct app *app;
	uint32_t stream;
	unsigned n;
	int64_t pause_us;
};

struct sim_apps {
	struct sim_swarm *swarm;
	struct sim_model *model;
	const char *const *topics;
	struct app apps[PRODUCERS_MAX];
	int n_open;
	unsigned n_records; /* of a thread, at most */
	bool healed;
};

/* What a callback is told: one for each record. */
struct ticket {
	struct sim_model *model;
	uint32_t stream, number;
};

/* --- drawing ----------------------------------------------------------------------------- */

static void draw_safety(struct app *app, bool safe)
{
	struct sim_conf *conf = &app->conf;
	bool idempotent = safe || sim_chance(650);

	app->acks = -1;
	if (!idempotent)
		app->acks = (int32_t)sim_below(3) - 1;
	sim_conf_add(conf, "acks", "%s", app->acks < 0 ? "all" : app->acks ? "1" : "0");
	sim_conf_add(conf, "enable.idempotence", idempotent ? "true" : "false");
	sim_conf_add(conf, "max.in.flight.requests.per.connection", "%d",
		     1 + (int)sim_below(idempotent ? 5 : 8));
	if (sim_chance(250))
		sim_conf_add(conf, "retries", "%d", (int)sim_below(4) + idempotent);
	app->promise.stored = app->acks != 0;
	app->promise.once = idempotent;
	app->promise.durable = app->acks < 0 && app->all->swarm->faults.durable;
}

static void draw_times(struct app *app)
{
	struct sim_conf *conf = &app->conf;

	app->request_ms = sim_chance(600) ? 500 + (int64_t)sim_below(3000) : 30000;
	app->linger_ms = sim_chance(500) ? 0 : (int)sim_below(60);
	app->delivery_ms =
	    sim_chance(500) ? app->request_ms + app->linger_ms + (int64_t)sim_below(5000) : 120000;
	sim_conf_add(conf, "request.timeout.ms", "%lld", (long long)app->request_ms);
	sim_conf_add(conf, "linger.ms", "%d", app->linger_ms);
	sim_conf_add(conf, "delivery.timeout.ms", "%lld", (long long)app->delivery_ms);
	sim_conf_add(conf, "max.block.ms", "%d", (int)sim_below(20000));
	if (sim_chance(500)) {
		sim_conf_add(conf, "retry.backoff.ms", "%d", (int)sim_below(300));
		sim_conf_add(conf, "reconnect.backoff.ms", "%d", 1 + (int)sim_below(300));
	}
	if (sim_chance(200))
		sim_conf_add(conf, "metadata.max.age.ms", "%d", 200 + (int)sim_below(3000));
}

static void draw_app(struct app *app, bool safe)
{
	static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
	static const int sizes[] = {16384, 16384, 1000, 200};
	struct sim_conf *conf = &app->conf;

	sim_conf_add(conf, "bootstrap.servers", "%s:%d", SIM_HOST, SIM_PORT);
	draw_safety(app, safe);
	draw_times(app);
	sim_conf_add(conf, "batch.size", "%d", sizes[sim_below(4)]);
	if (sim_chance(300))
		sim_conf_add(conf, "compression.type", "%s", codecs[sim_below(5)]);
	if (sim_chance(200))
		sim_conf_add(conf, "buffer.memory", "%d", 8000 + (int)sim_below(40000));
	if (sim_chance(200))
		sim_conf_add(conf, "max.request.size", "%d", 3000 + (int)sim_below(5000));
	app->explicit_partitions = sim_chance(300);
	app->n_threads = 1 + (unsigned)sim_below(THREADS_MAX);
}

/* --- sending --------------------------------------------------------------------------------- */

static void on_sent(void *arg, const mq_sent *sent)
{
	struct ticket *ticket = arg;

	sim_model_reported(ticket->model, ticket->stream, ticket->number, sent);
	free(ticket);
}

static mq_err send_one(struct thread *thread, const char *topic, int32_t partition)
{
	struct app *app = thread->app;
	struct ticket *ticket = sim_alloc(sizeof(*ticket));
	mq_record record = {.topic = topic};
	mq_error error = {0};
	mq_err err;

	*ticket = (struct ticket){app->all->model, thread->stream, 0};
	ticket->number = sim_model_next(ticket->model, thread->stream, &record.key, &record.value);
	if (partition >= 0) {
		record.partition.set = true;
		record.partition.value = partition;
	}
	sim_trace("send %u:%u", thread->stream, ticket->number);
	err = mq_producer_send(app->producer, &record, on_sent, ticket, &error);
	if (err != MQ_OK) {
		sim_trace("not taken: %s", error.text);
		sim_model_refused(ticket->model, thread->stream, ticket->number);
		free(ticket);
	}
	return err;
}

static void send_all(struct thread *thread)
{
	struct app *app = thread->app;
	struct sim_swarm *swarm = app->all->swarm;

	for (unsigned i = 0; i < thread->n; i++) {
		const char *topic = app->all->topics[sim_below((uint64_t)swarm->n_topics)];
		int32_t partition = -1;

		if (app->explicit_partitions)
			partition = (int32_t)sim_below((uint64_t)swarm->n_partitions);
		(void)send_one(thread, topic, partition);
		if (sim_chance(20))
			(void)mq_producer_flush(app->producer, (int)sim_below(3000), NULL);
		if (sim_chance(300))
			sim_sleep(sim_time(thread->pause_us));
	}
}

/* Sends, with room made for it if need be. */
static bool insist(struct thread *thread, const char *topic, int32_t partition)
{
	mq_err err = send_one(thread, topic, partition);

	if (err == MQ_E_FULL) {
		(void)mq_producer_flush(thread->app->producer, 60000, NULL);
		err = send_one(thread, topic, partition);
	}
	return err == MQ_OK;
}

/* One record to each partition; true: all are acknowledged. */
static bool probe_once(struct thread *thread, int64_t bound_ms)
{
	struct app *app = thread->app;
	struct sim_swarm *swarm = app->all->swarm;
	uint32_t acked = sim_model_acked(app->all->model, thread->stream), n = 0;
	mq_error error = {0};
	bool taken = true;

	for (int t = 0; t < swarm->n_topics; t++)
		for (int32_t p = 0; p < swarm->n_partitions; p++, n++)
			taken = insist(thread, app->all->topics[t], p) && taken;
	sim_check(mq_producer_flush(app->producer, (int)bound_ms, &error) == MQ_OK,
		  "what was sent in good times does not end: %s", error.text);
	sim_check(sim_model_open(app->all->model, thread->stream) == 0,
		  "records are flushed and not reported");
	return taken && sim_model_acked(app->all->model, thread->stream) == acked + n;
}

/* When all is well again nothing has remained stuck. The first records may still
 * find a connection that is broken without knowing it, which takes a request's time,
 * and where sends wait less they are not even taken until then. */
static void probe(struct thread *thread)
{
	struct app *app = thread->app;
	int64_t bound_ms = app->delivery_ms + 2 * app->request_ms + 30000, until;
	mq_error error = {0};
	bool through = false;

	sim_check(mq_producer_flush(app->producer, (int)bound_ms, &error) == MQ_OK,
		  "what was queued does not end within its time: %s", error.text);
	until = sim_now() + app->request_ms * 1000 + 16 * SIM_SEC;
	while (!through && sim_now() < until) {
		through = probe_once(thread, bound_ms);
		if (!through)
			sim_sleep(2 * SIM_SEC);
	}
	sim_check(through, "though all is well, records are not acknowledged");
}

static void run_thread(void *arg)
{
	struct thread *thread = arg;
	struct sim_apps *all = thread->app->all;

	send_all(thread);
	while (!all->healed)
		(void)sim_wait(all, INT64_MAX);
	probe(thread);
	thread->app->n_running--;
	sim_wake_all(thread->app);
	free(thread);
}

static void run_app(void *arg)
{
	struct app *app = arg;
	struct sim_apps *all = app->all;
	mq_conf *conf = sim_conf_make(&app->conf, MQ_ROLE_PRODUCER);
	mq_producer_metrics metrics;
	mq_error error = {0};
	uint64_t n_lost = 0;

	sim_set_process(app);
	app->producer = mq_producer_new(conf, &error);
	sim_check(app->producer, "no producer: %s", error.text);
	mq_conf_free(conf);
	for (unsigned i = 0; i < app->n_threads; i++) {
		struct thread *thread = sim_alloc(sizeof(*thread));

		thread->app = app;
		thread->stream = sim_model_stream(all->model, app->promise);
		thread->n = 5 + (unsigned)sim_below(all->n_records);
		thread->pause_us = all->swarm->chaos_us / (int64_t)thread->n * 6;
		app->n_running++;
		sim_fiber_detach(sim_fiber_start("app", run_thread, thread));
	}
	while (app->n_running > 0)
		(void)sim_wait(app, INT64_MAX);
	sim_check(mq_producer_close(app->producer, 1000, &n_lost, &error) == MQ_OK && n_lost == 0,
		  "closing: %s", error.text);
	mq_producer_metrics_get(app->producer, &metrics);
	sim_check(metrics.memory_used == 0 && metrics.records_waiting == 0,
		  "a closed producer has %llu bytes in use and %llu records waiting",
		  (unsigned long long)metrics.memory_used,
		  (unsigned long long)metrics.records_waiting);
	mq_producer_free(app->producer);
	all->n_open--;
	sim_wake_all(all);
}

/* --- all of them ------------------------------------------------------------------------------ */

struct sim_apps *sim_apps_start(struct sim_swarm *swarm, struct sim_model *model,
				const char *const *topics, unsigned n_records, bool safe)
{
	struct sim_apps *all = sim_alloc(sizeof(*all));

	all->swarm = swarm;
	all->model = model;
	all->topics = topics;
	all->n_records = n_records;
	all->n_open = safe ? 1 : 1 + (int)sim_below(PRODUCERS_MAX);
	for (int i = 0; i < all->n_open; i++) {
		all->apps[i].all = all;
		draw_app(&all->apps[i], safe);
		sim_fiber_detach(sim_fiber_start("producer", run_app, &all->apps[i]));
	}
	return all;
}

void sim_apps_finish(struct sim_apps *all)
{
	all->healed = true;
	sim_wake_all(all);
	while (all->n_open > 0)
		(void)sim_wait(all, INT64_MAX);
	free(all);
}
