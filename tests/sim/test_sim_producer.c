/*
 * The real producer and the real broker in a simulated world: what was
 * acknowledged is there, once, in order, whatever happens on the way; every
 * record is reported once; and when all is well again, everything flows.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sim/sim_app.h"
#include "sim/sim_fs.h"
#include "sim/sim_model.h"
#include "sim/sim_swarm.h"

static const char *const topics[] = {"first", "second"};

struct run {
	struct sim_swarm swarm;
	struct sim_model *model;
	struct sim_broker *broker;
};

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
	    .host = SIM_HOST, .port = SIM_PORT, .up = broker_up, .down = broker_down, .arg = run};
	struct sim_apps *apps;

	(void)arg;
	sim_swarm_draw(&run->swarm);
	run->model = sim_model_new(topics, run->swarm.n_topics);
	args.conf = run->swarm.broker.pairs;
	args.pace = run->swarm.pace;
	args.down_us = run->swarm.down_us;
	run->broker = sim_broker_new(&args);
	apps = sim_apps_start(&run->swarm, run->model, topics, 80, false);
	sim_swarm_run(&run->swarm, run->broker);
	sim_apps_finish(apps);
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
	/* An interrupted creation became a topic; max.block.ms=0 never asked; partitions
	 * that a killed process had made went with the power (two). */
	static const uint64_t kept[] = {22217, 22328, 31199, 31523};
	static const struct sim_program program = {.name = "tests/sim/test_sim_producer",
						   .run = play,
						   .first = 1,
						   .n = 600,
						   .kept = kept,
						   .n_kept = mq_array_size(kept)};

	return sim_main(&program, argc, argv);
}
