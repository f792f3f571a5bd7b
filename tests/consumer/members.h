/* Members of a group that note what happens to them. */
#ifndef MQ_TESTS_CONSUMER_MEMBERS_H
#define MQ_TESTS_CONSUMER_MEMBERS_H

#include "kit.h"

static struct kit kit;

/* Sessions may be short. */
static inline void short_sessions(mq_conf *conf)
{
	kit_set(conf, "group.min.session.timeout.ms", "50");
}

static inline void setup(void)
{
	memset(&kit, 0, sizeof(kit));
	kit.configure = short_sessions;
	temp_dir_make(kit.dir, sizeof(kit.dir));
	snprintf(kit.name, sizeof(kit.name), "kit-%d", (int)getpid());
	kit_start(&kit);
}

static inline void teardown(void)
{
	kit_deinit(&kit);
}

#define PARTITIONS     3
#define PARTITIONS_MAX 8

/* What a member has seen. */
struct member {
	mq_consumer *c;
	size_t n;
	int64_t floor;                /* offsets below were committed: they do not come again */
	int64_t last[PARTITIONS_MAX]; /* offset of the last record of each partition; -1 */
	int revoked, assigned, lost, held;
	void (*on_revoked)(struct member *m, const mq_topic_partition *parts, size_t n);
	void (*on_assigned)(struct member *m, const mq_topic_partition *parts, size_t n);
};

/* What was not committed comes again. */
static inline void forget(struct member *m, const mq_topic_partition *parts, size_t n)
{
	m->held -= (int)n;
	for (size_t i = 0; i < n; i++)
		m->last[parts[i].partition] = -1;
}

/* Whether the member has read all it holds, up to an offset. */
static inline bool has_read(const struct member *m, int64_t last)
{
	int n = 0;

	for (int i = 0; i < PARTITIONS_MAX; i++)
		n += m->last[i] >= last;
	return n == m->held;
}

static inline void on_revoked(void *arg, mq_consumer *c, const mq_topic_partition *parts, size_t n)
{
	struct member *m = arg;

	ck_assert_ptr_eq(c, m->c);
	m->revoked++;
	forget(m, parts, n);
	if (m->on_revoked)
		m->on_revoked(m, parts, n);
}

static inline void on_assigned(void *arg, mq_consumer *c, const mq_topic_partition *parts, size_t n)
{
	struct member *m = arg;

	ck_assert_ptr_eq(c, m->c);
	m->assigned++;
	m->held += (int)n;
	if (m->on_assigned)
		m->on_assigned(m, parts, n);
}

static inline void on_lost(void *arg, mq_consumer *c, const mq_topic_partition *parts, size_t n)
{
	struct member *m = arg;

	ck_assert_ptr_eq(c, m->c);
	m->lost++;
	forget(m, parts, n);
}

static inline void subscribe(struct member *m, mq_consumer *c)
{
	static const char *const topics[] = {"first"};
	mq_rebalance_listener listener = {
	    .arg = m, .on_revoked = on_revoked, .on_assigned = on_assigned, .on_lost = on_lost};

	m->c = c;
	for (int i = 0; i < PARTITIONS_MAX; i++)
		m->last[i] = -1;
	kit_ok(mq_consumer_subscribe(c, topics, 1, &listener, &kit_error_));
}

/* One poll of a member; its records have to be in order. */
static inline void poll_one(struct member *m, int timeout_ms)
{
	mq_error error = {MQ_OK, ""};
	mq_records *records = mq_consumer_poll(m->c, timeout_ms, &error);
	const mq_received *r;

	ck_assert_msg(records != NULL, "%s: %s", mq_err_name(error.code), error.text);
	while ((r = mq_records_next(records))) {
		ck_assert_int_gt(r->offset, m->last[r->partition]);
		ck_assert_int_ge(r->offset, m->floor);
		m->last[r->partition] = r->offset;
		m->n++;
	}
}

/* Polls the members in turn until something is so. */
#define poll_until(what, members, n_members)                                                       \
	do {                                                                                       \
		int tries_ = 0;                                                                    \
                                                                                                   \
		while (!(what)) {                                                                  \
			for (int m_ = 0; m_ < (n_members); m_++)                                   \
				poll_one(&(members)[m_], 20);                                      \
			ck_assert_msg(++tries_ < 1000, "%s never came", #what);                    \
		}                                                                                  \
	} while (0)

static inline void fill_all(int from, int n)
{
	for (int p = 0; p < PARTITIONS; p++)
		kit_fill(&kit, "first", p, from, n);
}

#endif
