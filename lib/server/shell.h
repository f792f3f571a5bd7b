/*
 * The shell around a broker core: its environment, its sockets, its clock and
 * its name in the process. One shell is one broker.
 *
 * Happy path: start (binds, recovers, listens), stop, free.
 */
#ifndef MQ_SERVER_SHELL_H
#define MQ_SERVER_SHELL_H

#include <mq/error.h>

#include "base/conf.h"
#include "net/link.h"
#include "server/server.h"

struct mq_shell;

/* conf is copied. Blocks as long as the recovery of the logs takes. */
mq_err mq_shell_start(const mq_conf *conf, struct mq_shell **out, mq_error *error);

/*
 * Ends it: no new connections or calls, those in progress are answered, then
 * connections are closed. What has not ended by then is cut off a little
 * before the deadline. MQ_E_TIMED_OUT when something still holds on; the shell
 * is stopping then and may be stopped again. MQ_OK also when it has stopped
 * before.
 */
mq_err mq_shell_stop(struct mq_shell *shell, int64_t deadline_us, mq_error *error);

/* Flushes the logs and gives everything back; it has stopped. */
void mq_shell_free(struct mq_shell *shell);

struct mq_server *mq_shell_server(struct mq_shell *shell);
struct mq_env *mq_shell_env(struct mq_shell *shell);

#endif
