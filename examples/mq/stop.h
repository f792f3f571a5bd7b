/* Ending a consumer that waits when SIGINT, SIGTERM or SIGHUP comes. */
#ifndef MQ_EXAMPLES_STOP_H
#define MQ_EXAMPLES_STOP_H

#include <mq/consumer.h>

#include "mq.h"

/* Keeps these signals from this thread and those it starts; before the consumer
 * is made. SIGPIPE is ignored: writing tells. */
void stop_block(void);

/* Lets the first of the signals wake the consumer; a second one ends the program
 * at once. -1 to go on. */
int stop_watch(const char *command, mq_consumer *consumer);

/* Whether a signal has come. */
bool stop_told(void);

/* Ends the watch; before the consumer is freed. */
void stop_unwatch(void);

#endif
