/* Finding an assignor by name. */
#include "consumer/assignor.h"

#include "base/mem.h"

#define JAVA_PACKAGE "org.apache.kafka.clients.consumer."

static const struct {
	const char *java_class;
	const mq_assignor *assignor;
} kafka[] = {
    {JAVA_PACKAGE "RangeAssignor", &mq_assignor_range},
    {JAVA_PACKAGE "RoundRobinAssignor", &mq_assignor_round_robin},
    {JAVA_PACKAGE "StickyAssignor", &mq_assignor_sticky},
    {JAVA_PACKAGE "CooperativeStickyAssignor", &mq_assignor_cooperative_sticky},
};

const mq_assignor *mq_assignor_find(const mq_conf *conf, mq_bytes name)
{
	size_t n = 0;
	const mq_assignor *added = conf ? mq_conf_assignors(conf, &n) : NULL;

	for (size_t i = 0; i < n; i++)
		if (mq_bytes_eq(mq_str(added[i].name), name))
			return &added[i];
	for (size_t i = 0; i < mq_array_size(kafka); i++)
		if (mq_bytes_eq(mq_str(kafka[i].assignor->name), name) ||
		    mq_bytes_eq(mq_str(kafka[i].java_class), name))
			return kafka[i].assignor;
	return NULL;
}
