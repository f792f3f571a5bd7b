/* What the client faces need of a broker that they are handed. */
#ifndef MQ_API_BROKER_IMPL_H
#define MQ_API_BROKER_IMPL_H

#include <mq/broker.h>

#include "net/link.h"

/* For mq_inproc_link_to(); links to a broker that has been stopped fail. */
struct mq_inproc *mq_broker_inproc(mq_broker *broker);

#endif
