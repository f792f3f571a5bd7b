/* A loop that the test drives itself. */
#ifndef MQ_TESTS_NET_KIT_H
#define MQ_TESTS_NET_KIT_H

#include <check.h>

#include "net/loop.h"
#include "suite.h"

static struct mq_env *env;
static struct mq_loop *loop;

static inline void setup(void)
{
	env = mq_env_system_new(1);
	loop = mq_loop_new(env);
	ck_assert(env && loop);
}

static inline void teardown(void)
{
	mq_loop_free(loop);
	mq_env_system_free(env);
}

#endif
