/*
 * The real producer and the real broker in a simulated world: what was
 * acknowledged is there, once, in order, whatever happens on the way; every
 * record is reported once; and when all is well again, everything flows.
 */
#include <stdio.h>
#include <stdlib.h>

#include <mq/producer.h>

#include "sim/sim_fs.h"
#include "sim/sim_model.h"
#include "sim/sim_swarm.h"

#define HOST          "broker"
#define PORT          9092
#define PRODUCERS_MAX 3
#define THREADS_MAX   2
#define PROBES        8

static const char *const topics[] = {"first", "second"};

struct run;

struct app {
	struct run *run;
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

struct run {
	struct sim_swarm swarm;
	struct sim_model *model;
	struct sim_broker *broker;
	struct app apps[PRODUCERS_MAX];
	int n_apps, n_open;
	bool healed;
};

/* What a callback is told: one for each record. */
struct ticket {
	struct sim_model *model;
	uint32_t stream, number;
};

/* --- drawing ----------------------------------------------------------------------------- */

static void draw_safety(struct app *app)
{
	struct sim_conf *conf = &app->conf;
	bool idempotent = sim_chance(650);

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
	app->promise.durable = app->acks < 0 && app->run->swarm.faults.durable;
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
		sim_conf_add(conf, "reconnect.backoff.ms", "%d", (int)sim_below(300));
	}
	if (sim_chance(200))
		sim_conf_add(conf, "metadata.max.age.ms", "%d", 200 + (int)sim_below(3000));
}

static void draw_app(struct app *app)
{
	static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
	static const int sizes[] = {16384, 16384, 1000, 200};
	struct sim_conf *conf = &app->conf;

	sim_conf_add(conf, "bootstrap.servers", "%s:%d", HOST, PORT);
	draw_safety(app);
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

	*ticket = (struct ticket){app->run->model, thread->stream, 0};
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
	struct sim_swarm *swarm = &app->run->swarm;

	for (unsigned i = 0; i < thread->n; i++) {
		const char *topic = topics[sim_below((uint64_t)swarm->n_topics)];
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

/* One record to each partition; true: all are acknowledged. */
static bool probe_once(struct thread *thread, int64_t bound_ms)
{
	struct app *app = thread->app;
	struct sim_swarm *swarm = &app->run->swarm;
	uint32_t acked = sim_model_acked(app->run->model, thread->stream), n = 0;
	mq_error error = {0};
	bool taken = true;

	for (int t = 0; t < swarm->n_topics; t++)
		for (int32_t p = 0; p < swarm->n_partitions; p++, n++)
			taken = send_one(thread, topics[t], p) == MQ_OK && taken;
	sim_check(mq_producer_flush(app->producer, (int)bound_ms, &error) == MQ_OK,
		  "what was sent in good times does not end: %s", error.text);
	sim_check(sim_model_open(app->run->model, thread->stream) == 0,
		  "records are flushed and not reported");
	return taken && sim_model_acked(app->run->model, thread->stream) == acked + n;
}

/* When all is well again nothing has remained stuck. The first records may still
 * find connections that are broken without knowing it. */
static void probe(struct thread *thread)
{
	struct app *app = thread->app;
	int64_t bound_ms = app->delivery_ms + 2 * app->request_ms + 30000;
	mq_error error = {0};
	bool through = false;

	sim_check(mq_producer_flush(app->producer, (int)bound_ms, &error) == MQ_OK,
		  "what was queued does not end within its time: %s", error.text);
	for (int i = 0; i < PROBES && !through; i++) {
		through = probe_once(thread, bound_ms);
		if (!through)
			sim_sleep(2 * SIM_SEC);
	}
	sim_check(through, "though all is well, records are not acknowledged");
}

static void run_thread(void *arg)
{
	struct thread *thread = arg;
	struct run *run = thread->app->run;

	send_all(thread);
	while (!run->healed)
		(void)sim_wait(run, INT64_MAX);
	probe(thread);
	thread->app->n_running--;
	sim_wake_all(thread->app);
	free(thread);
}

static void run_app(void *arg)
{
	struct app *app = arg;
	struct run *run = app->run;
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
		thread->stream = sim_model_stream(run->model, app->promise);
		thread->n = 5 + (unsigned)sim_below(80);
		thread->pause_us = run->swarm.chaos_us / (int64_t)thread->n * 6;
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
	run->n_open--;
	sim_wake_all(run);
}

/* --- the run ---------------------------------------------------------------------------------- */

static void broker_up(void *arg, struct mq_core *core, struct sim_env *disk)
{
	struct run *run = arg;

	sim_model_check(run->model, run->broker, core, disk, false);
}

static void broker_down(void *arg, enum sim_end end)
{
	struct run *run = arg;

	if (end == SIM_POWER)
		sim_model_power_lost(run->model);
}

static void play(void *arg)
{
	struct run *run = sim_alloc(sizeof(*run));
	struct sim_broker_args args = {
	    .host = HOST, .port = PORT, .up = broker_up, .down = broker_down, .arg = run};

	(void)arg;
	sim_swarm_draw(&run->swarm);
	run->model = sim_model_new(topics, run->swarm.n_topics);
	args.conf = run->swarm.broker.pairs;
	args.pace = run->swarm.pace;
	args.down_us = run->swarm.down_us;
	run->broker = sim_broker_new(&args);
	run->n_apps = 1 + (int)sim_below(PRODUCERS_MAX);
	for (int i = 0; i < run->n_apps; i++) {
		run->apps[i].run = run;
		draw_app(&run->apps[i]);
		run->n_open++;
		sim_fiber_detach(sim_fiber_start("producer", run_app, &run->apps[i]));
	}
	sim_swarm_run(&run->swarm, run->broker);
	run->healed = true;
	sim_wake_all(run);
	while (run->n_open > 0)
		(void)sim_wait(run, INT64_MAX);
	sim_model_check(run->model, run->broker, sim_broker_core(run->broker),
			sim_broker_disk(run->broker), true);
	/* Once more after a last end, of any kind. */
	sim_broker_end(run->broker, (enum sim_end)sim_below(SIM_N_ENDS));
	sim_check(sim_broker_wait_up(run->broker, 60 * SIM_SEC), "the broker does not come up");
	sim_broker_free(run->broker);
	sim_model_free(run->model);
	sim_net_end();
	free(run);
}

int main(int argc, char **argv)
{
	static const struct sim_program program = {
	    .name = "tests/sim/test_sim_producer", .run = play, .first = 1, .n = 600};

	return sim_main(&program, argc, argv);
}
