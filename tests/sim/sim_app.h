/*
 * Applications that produce, in a simulated world: producers by the public
 * interface, each with settings of its own.
 */
#ifndef MQ_TESTS_SIM_APP_H
#define MQ_TESTS_SIM_APP_H

#include "sim/sim_model.h"
#include "sim/sim_swarm.h"

struct sim_apps;

/* Starts them; each thread sends up to so many records to the topics. safe: one
 * producer, with idempotence. */
struct sim_apps *sim_apps_start(struct sim_swarm *swarm, struct sim_model *model,
				const char *const *topics, unsigned n_records, bool safe);

/* All is well: what they have sent has to end, new records have to go through, and
 * they end. Waits for it. */
void sim_apps_finish(struct sim_apps *all);

#endif
