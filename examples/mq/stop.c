/* A thread that waits for the signals, for what is allowed in a handler of
 * signals does not include waking a consumer. */
#include "stop.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

static sigset_t signals;
static pthread_t watcher;
static bool watching;
static atomic_bool told, ended;

void stop_block(void)
{
	struct sigaction hup;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	/* Under nohup SIGHUP stays ignored. */
	sigaction(SIGHUP, NULL, &hup);
	if (hup.sa_handler != SIG_IGN)
		sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void *watch(void *arg)
{
	mq_consumer *consumer = arg;
	int sig;

	while (sigwait(&signals, &sig) != 0)
		;
	if (atomic_load(&ended))
		return NULL;
	atomic_store(&told, true);
	/* In this thread a second signal has its default effect. */
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
	mq_consumer_wakeup(consumer);
	return NULL;
}

int stop_watch(const char *command, mq_consumer *consumer)
{
	int rc = pthread_create(&watcher, NULL, watch, consumer);

	watching = rc == 0;
	return watching ? -1 : fail(command, "no thread: %s", strerror(rc));
}

bool stop_told(void)
{
	return atomic_load(&told);
}

void stop_unwatch(void)
{
	if (!watching)
		return;
	watching = false;
	atomic_store(&ended, true);
	if (!atomic_load(&told))
		pthread_kill(watcher, SIGTERM);
	pthread_join(watcher, NULL);
}
