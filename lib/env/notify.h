/* A descriptor that says something is there to be done, for poll(2) and its
 * like in somebody else's loop. */
#ifndef MQ_ENV_NOTIFY_H
#define MQ_ENV_NOTIFY_H

/* The descriptor, not readable yet; -errno. */
int mq_notify_open(void);
void mq_notify_close(int fd);

void mq_notify_set(int fd);   /* readable from now on */
void mq_notify_clear(int fd); /* not readable any more */

#endif
