/*
 * Swarm testing: every seed draws its own subset of faults and its own
 * settings, so that rare combinations come up that a uniform mix never shows.
 */
#ifndef MQ_TESTS_SIM_SWARM_H
#define MQ_TESTS_SIM_SWARM_H

#include <stdbool.h>

#include <mq/config.h>

#include "sim/sim_broker.h"
#include "sim/sim_net.h"

#define SIM_CONF_MAX 32

/* Where the broker is. */
#define SIM_HOST "broker"
#define SIM_PORT 9092

/* Keys and values, as text. */
struct sim_conf {
	char text[SIM_CONF_MAX][2][64];
	const char *pairs[2 * SIM_CONF_MAX + 1];
	int n;
};

void sim_conf_add(struct sim_conf *conf, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A configuration of a client from it. */
mq_conf *sim_conf_make(const struct sim_conf *conf, mq_role role);

/* What goes wrong in one run. */
struct sim_faults {
	struct sim_net net; /* while faults go on */
	unsigned every_ms;  /* so often something happens, about; 0: never */
	unsigned kill, power, stop, cut, silent, disk_error, disk_full; /* weights */
	bool at_change; /* ends come within changes of the disk */
	bool durable;   /* mq.flush.before.ack */
};

struct sim_swarm {
	struct sim_faults faults;
	struct sim_conf broker;
	struct sim_pace pace;
	int64_t down_us, chaos_us;
	int n_topics;
	int32_t n_partitions;
};

/* Draws faults and a broker's configuration. */
void sim_swarm_draw(struct sim_swarm *swarm);

/* Lets things go wrong until it is over; then everything is well again, and the
 * broker is up. */
void sim_swarm_run(struct sim_swarm *swarm, struct sim_broker *broker);

/* The program of a test: runs seeds given on the command line, or the fixed ones. */
struct sim_program {
	const char *name;
	void (*run)(void *arg); /* one world */
	uint64_t first;
	unsigned n;           /* the fixed seeds */
	const uint64_t *kept; /* seeds that found something once */
	unsigned n_kept;
};

int sim_main(const struct sim_program *program, int argc, char **argv);

#endif
