/* See sim_swarm.h. */
#include "sim/sim_swarm.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/sim_fs.h"
#include "sim/sim_impl.h"

/* --- configurations --------------------------------------------------------------------- */

void sim_conf_add(struct sim_conf *conf, const char *key, const char *fmt, ...)
{
	va_list args;

	sim_check(conf->n < SIM_CONF_MAX, "too many keys");
	snprintf(conf->text[conf->n][0], sizeof(conf->text[0][0]), "%s", key);
	va_start(args, fmt);
	vsnprintf(conf->text[conf->n][1], sizeof(conf->text[0][1]), fmt, args);
	va_end(args);
	conf->pairs[2 * conf->n] = conf->text[conf->n][0];
	conf->pairs[2 * conf->n + 1] = conf->text[conf->n][1];
	conf->n++;
	conf->pairs[2 * conf->n] = NULL;
	sim_trace("%s=%s", key, conf->text[conf->n - 1][1]);
}

static void log_line(void *arg, mq_level level, const char *line)
{
	(void)arg;
	sim_trace("client log %d: %s", (int)level, line);
}

mq_conf *sim_conf_make(const struct sim_conf *conf, mq_role role)
{
	mq_conf *made = mq_conf_new(role);
	mq_error error;

	for (int i = 0; i < conf->n; i++)
		sim_check(mq_conf_set(made, conf->text[i][0], conf->text[i][1], &error) == MQ_OK,
			  "%s", error.text);
	mq_conf_set_logger(made, MQ_LEVEL_INFO, log_line, NULL);
	return made;
}

/* --- drawing ---------------------------------------------------------------------------------- */

static void draw_net(struct sim_net *net)
{
	net->latency_us = sim_time(20 * SIM_MS);
	net->dial_us = sim_time(20 * SIM_MS);
	if (sim_chance(400)) {
		net->spike = 1 + (unsigned)sim_below(50);
		net->spike_us = sim_chance(500) ? SIM_SEC : 60 * SIM_SEC;
	}
	if (sim_chance(300)) {
		net->slow_write = 1 + (unsigned)sim_below(300);
		net->write_us = sim_chance(700) ? 5 * SIM_MS : 3 * SIM_SEC;
	}
	if (sim_chance(300))
		net->cut = 1 + (unsigned)sim_below(40);
	if (sim_chance(200))
		net->silent = 1 + (unsigned)sim_below(15);
	if (sim_chance(200))
		net->refuse = (unsigned)sim_below(500);
}

static void draw_faults(struct sim_faults *faults)
{
	draw_net(&faults->net);
	faults->durable = sim_chance(500);
	if (!sim_chance(850))
		return;
	faults->every_ms = 20u << sim_below(9);
	if (sim_chance(500))
		faults->kill = 1;
	if (sim_chance(400))
		faults->power = 1;
	if (sim_chance(250))
		faults->stop = 1;
	if (sim_chance(300))
		faults->cut = 1 + (unsigned)sim_below(4);
	if (sim_chance(200))
		faults->silent = 1;
	if (sim_chance(150))
		faults->disk_error = 1;
	if (sim_chance(150))
		faults->disk_full = 1;
	faults->at_change = sim_chance(600);
}

static void draw_broker(struct sim_swarm *swarm)
{
	struct sim_conf *conf = &swarm->broker;

	sim_conf_add(conf, "num.partitions", "%d", swarm->n_partitions);
	sim_conf_add(conf, "mq.flush.before.ack", swarm->faults.durable ? "true" : "false");
	sim_conf_add(conf, "mq.disk.free.min.bytes", "4096");
	if (sim_chance(500))
		sim_conf_add(conf, "log.segment.bytes", "%lld",
			     (long long)sim_between(4096, 40000));
	if (sim_chance(200))
		sim_conf_add(conf, "log.flush.interval.messages", "%d", 1 + (int)sim_below(20));
	if (sim_chance(300))
		sim_conf_add(conf, "log.flush.offset.checkpoint.interval.ms", "%d",
			     100 + (int)sim_below(5000));
	if (sim_chance(300))
		sim_conf_add(conf, "log.index.interval.bytes", "%d", (int)sim_below(4096));
	if (sim_chance(200))
		sim_conf_add(conf, "compression.type", "%s",
			     sim_chance(500) ? "gzip" : "uncompressed");
	if (sim_chance(200))
		sim_conf_add(conf, "log.message.timestamp.type", "LogAppendTime");
	if (sim_chance(300))
		sim_conf_add(conf, "num.recovery.threads.per.data.dir", "4");
}

void sim_swarm_draw(struct sim_swarm *swarm)
{
	memset(swarm, 0, sizeof(*swarm));
	swarm->n_topics = 1 + (int)sim_below(2);
	swarm->n_partitions = 1 + (int32_t)sim_below(4);
	swarm->chaos_us = sim_between(SIM_SEC, 20 * SIM_SEC);
	swarm->down_us = sim_chance(700) ? SIM_SEC : 20 * SIM_SEC;
	if (sim_chance(600))
		swarm->pace.write_us = sim_time(20 * SIM_MS);
	if (sim_chance(600))
		swarm->pace.sync_us = sim_time(200 * SIM_MS);
	if (sim_chance(300))
		swarm->pace.read_us = sim_time(5 * SIM_MS);
	if (sim_chance(600))
		swarm->pace.job_us = sim_time(20 * SIM_MS);
	draw_faults(&swarm->faults);
	draw_broker(swarm);
	if (sim_chance(150))
		sim_set_preemption(1 + (unsigned)sim_below(60));
}

/* --- running -------------------------------------------------------------------------------------
 */

static void end_broker(struct sim_swarm *swarm, struct sim_broker *broker, enum sim_end end)
{
	if (end != SIM_STOP && swarm->faults.at_change)
		sim_broker_end_at_change(broker, end, 1 + (unsigned)sim_below(30));
	else
		sim_broker_end(broker, end);
}

static void fail_disk(struct sim_broker *broker)
{
	struct sim_env *disk = sim_broker_disk(broker);
	enum sim_op op = sim_chance(500) ? SIM_WRITE : SIM_SYNC;
	unsigned nth = 1 + (unsigned)sim_below(10);

	if (!disk)
		return;
	sim_trace("the disk will fail (%d) in %u", (int)op, nth);
	(void)sim_broker_distrust(broker, true);
	sim_env_fail(disk, op, nth, EIO, sim_chance(300));
}

/* The disk is full from here on, for some time. */
static void fill_disk(struct sim_broker *broker)
{
	struct sim_env *disk = sim_broker_disk(broker);
	int64_t used;

	if (!disk)
		return;
	sim_env_set_capacity(disk, INT64_MAX);
	used = INT64_MAX - mq_env_free_bytes(sim_env_get(disk), "/");
	sim_env_set_capacity(disk, used + (int64_t)sim_below(20000));
	sim_trace("the disk has %lld bytes left",
		  (long long)mq_env_free_bytes(sim_env_get(disk), "/"));
	sim_sleep(sim_time(10 * SIM_SEC));
	disk = sim_broker_disk(broker);
	if (disk)
		sim_env_set_capacity(disk, -1);
}

static void go_wrong(struct sim_swarm *swarm, struct sim_broker *broker)
{
	const struct sim_faults *f = &swarm->faults;
	unsigned all =
	    f->kill + f->power + f->stop + f->cut + f->silent + f->disk_error + f->disk_full;
	unsigned x = all ? (unsigned)sim_below(all) : 0;

	if (all == 0)
		return;
	if (sim_broker_distrust(broker, false) && sim_chance(200))
		end_broker(swarm, broker, SIM_POWER);
	else if (x < f->kill)
		end_broker(swarm, broker, SIM_KILL);
	else if ((x -= f->kill) < f->power)
		end_broker(swarm, broker, SIM_POWER);
	else if ((x -= f->power) < f->stop)
		end_broker(swarm, broker, SIM_STOP);
	else if ((x -= f->stop) < f->cut)
		sim_net_cut_one();
	else if ((x -= f->cut) < f->silent)
		sim_net_silence_one();
	else if ((x -= f->silent) < f->disk_error)
		fail_disk(broker);
	else
		fill_disk(broker);
}

static void heal(struct sim_broker *broker)
{
	struct sim_net calm = {.latency_us = SIM_MS, .dial_us = SIM_MS};

	sim_trace("all is well again");
	sim_net_set(&calm);
	sim_broker_heal(broker);
	sim_check(sim_broker_wait_up(broker, 60 * SIM_SEC), "the broker does not come up");
}

void sim_swarm_run(struct sim_swarm *swarm, struct sim_broker *broker)
{
	int64_t until_us = sim_now() + swarm->chaos_us;

	sim_net_set(&swarm->faults.net);
	while (sim_now() < until_us) {
		if (!swarm->faults.every_ms) {
			sim_sleep(until_us - sim_now());
			continue;
		}
		sim_sleep(sim_time((int64_t)swarm->faults.every_ms * 1000 * 4));
		go_wrong(swarm, broker);
	}
	heal(broker);
}

/* --- the program
 * ------------------------------------------------------------------------------------- */

static void on_signal(int number)
{
	fprintf(stderr, "FAILED: signal %d\n", number);
	sim_report_trace();
	signal(number, SIG_DFL);
	raise(number);
}

static uint64_t run_seed(const struct sim_program *program, uint64_t seed)
{
	char how[200];

	snprintf(how, sizeof(how), "%s --verbose --seed %llu", program->name,
		 (unsigned long long)seed);
	sim_set_replay(how);
	return sim_run(seed, program->run, NULL);
}

static void run_twice(const struct sim_program *program, uint64_t seed)
{
	uint64_t once = run_seed(program, seed), again = run_seed(program, seed);

	if (once == again)
		return;
	fprintf(stderr, "FAILED: seed %llu does not repeat: %016llx, then %016llx\n",
		(unsigned long long)seed, (unsigned long long)once, (unsigned long long)again);
	exit(1);
}

static int usage(const char *name)
{
	fprintf(stderr,
		"usage: %s [--verbose] [--twice] [--seed N | --first N --seeds N]\n"
		"Runs the fixed seeds, or those given. --twice runs each two times and\n"
		"compares.\n",
		name);
	return 2;
}

int sim_main(const struct sim_program *program, int argc, char **argv)
{
	uint64_t first = program->first, n = program->n;
	bool twice = false, given = false;

	for (int i = 1; i < argc; i++) {
		bool value = i + 1 < argc;

		if (strcmp(argv[i], "--verbose") == 0) {
			sim_set_verbose(true);
		} else if (strcmp(argv[i], "--twice") == 0) {
			twice = true;
		} else if (strcmp(argv[i], "--seed") == 0 && value) {
			first = strtoull(argv[++i], NULL, 10);
			n = 1;
			given = true;
		} else if (strcmp(argv[i], "--first") == 0 && value) {
			first = strtoull(argv[++i], NULL, 10);
			given = true;
		} else if (strcmp(argv[i], "--seeds") == 0 && value) {
			n = strtoull(argv[++i], NULL, 10);
			given = true;
		} else {
			return usage(program->name);
		}
	}
	signal(SIGABRT, on_signal);
	signal(SIGSEGV, on_signal);
	for (uint64_t i = 0; i < n; i++)
		if (twice || (!given && i % 100 == 0))
			run_twice(program, first + i);
		else
			(void)run_seed(program, first + i);
	for (unsigned i = 0; i < program->n_kept && !given; i++)
		(void)run_seed(program, program->kept[i]);
	printf("%s: %llu seeds from %llu on, and %u kept ones\n", program->name,
	       (unsigned long long)n, (unsigned long long)first, given ? 0 : program->n_kept);
	return 0;
}
