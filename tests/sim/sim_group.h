/*
 * Consumer groups in a simulated world: members that join, read, commit, stall,
 * leave, are cut off and come back, by the public interface, and what must hold
 * for their group.
 *
 * - In one generation a partition has one owner, and only the owner is handed
 *   its records, one after the other without a gap.
 * - No member begins behind a record that nobody has been handed.
 * - A committed offset does not go back by itself.
 * - When all is well again, the group reads everything.
 */
#ifndef MQ_TESTS_SIM_GROUP_H
#define MQ_TESTS_SIM_GROUP_H

#include "sim/sim_model.h"
#include "sim/sim_swarm.h"

struct sim_group;

/* Draws a group and starts its members. */
struct sim_group *sim_group_start(struct sim_swarm *swarm, struct sim_model *model,
				  const char *const *topics, const char *name);

/* All is well, and nothing more is written: the group has to read everything, then
 * its members leave. Waits for it. */
void sim_group_finish(struct sim_group *group, struct sim_broker *broker);

/* Reads the committed offsets and compares. */
void sim_group_audit(struct sim_group *group);
void sim_group_free(struct sim_group *group);

#endif
