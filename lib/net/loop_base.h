/* What only this room may know of a loop: libevent's base under it. */
#ifndef MQ_NET_LOOP_BASE_H
#define MQ_NET_LOOP_BASE_H

#include "net/loop.h"

struct event_base;
struct mq_dns;

struct event_base *mq_loop_base(struct mq_loop *loop);

/* Where the loop keeps its resolver, which is made when the first name is
 * looked up. */
struct mq_dns **mq_loop_dns(struct mq_loop *loop);

#endif
