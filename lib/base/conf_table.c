/*
 * The one table of configuration keys, and finding a key in it. The rows are
 * in order of their names; a name has several rows where its roles differ in
 * default, range or effect.
 */
#include "base/conf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define B MQ_ROLE_BROKER
#define T MQ_ROLE_TOPIC
#define A MQ_ROLE_ADMIN
#define P MQ_ROLE_PRODUCER
#define C MQ_ROLE_CONSUMER

#define LOW  (-HUGE_VAL)
#define HIGH HUGE_VAL

/* KEY has an effect; KNOWN is Kafka's, and accepted with a warning. Columns:
 * name, roles, type, default, least, most, allowed words ("~": in any case),
 * help, and for topics the broker's keys that give the default. */
#define KEY(name, roles, type, value, min, max, allowed, help, broker_keys)                        \
	{name, roles, MQ_CONF_##type, false, value, min, max, allowed, help, broker_keys},
#define KNOWN(name, roles, type, value, min, max, allowed, help, broker_keys)                      \
	{name, roles, MQ_CONF_##type, true, value, min, max, allowed, help, broker_keys},

static const struct mq_conf_key keys[] = {
#include "base/conf_table_a_k.h"
#include "base/conf_table_l_r.h"
#include "base/conf_table_r_z.h"
};

#define N_KEYS mq_array_size(keys)

/* Names longer than this are not compared for likeness. */
#define LIKE_MAX 96

/* The first row whose name is not before this one. */
static size_t lower_bound(const char *name)
{
	size_t from = 0, to = N_KEYS;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (strcmp(keys[middle].name, name) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

const struct mq_conf_key *mq_conf_key_find(mq_role role, const char *name)
{
	for (size_t i = lower_bound(name); i < N_KEYS && strcmp(keys[i].name, name) == 0; i++)
		if (keys[i].roles & role)
			return &keys[i];
	return NULL;
}

const struct mq_conf_key *mq_conf_key_next(mq_role role, const struct mq_conf_key *after)
{
	for (size_t i = after ? (size_t)(after - keys) + 1 : 0; i < N_KEYS; i++)
		if (keys[i].roles & role)
			return &keys[i];
	return NULL;
}

/* How many letters must be put in, left out, changed or swapped to get from
 * one name to the other; max when it is that many or more. */
static unsigned distance(const char *a, size_t n_a, const char *b, size_t n_b, unsigned max)
{
	unsigned rows[3][LIKE_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= n_b; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= n_a; i++) {
		unsigned *spare = before, least = max;

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= n_b; j++) {
			unsigned d = last[j - 1] + (a[i - 1] != b[j - 1]);

			d = MQ_MIN(d, last[j] + 1);
			d = MQ_MIN(d, now[j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = MQ_MIN(d, before[j - 2] + 1);
			now[j] = d;
			least = MQ_MIN(least, d);
		}
		if (least >= max)
			return max;
		before = last;
		last = now;
		now = spare;
	}
	return MQ_MIN(last[n_b], max);
}

const char *mq_conf_key_nearest(mq_role role, const char *name)
{
	size_t n = strlen(name);
	unsigned best = (unsigned)MQ_MAX(n / 3, 2) + 1;
	const char *nearest = NULL;

	if (n > LIKE_MAX)
		return NULL;
	for (size_t i = 0; i < N_KEYS; i++) {
		size_t n_key = strlen(keys[i].name);
		unsigned d;

		if (!(keys[i].roles & role) || n_key > LIKE_MAX || n_key + best <= n ||
		    n + best <= n_key)
			continue;
		d = distance(name, n, keys[i].name, n_key, best);
		if (d < best) {
			best = d;
			nearest = keys[i].name;
		}
	}
	return nearest;
}
