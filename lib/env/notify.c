/* A descriptor to wait on: an eventfd. */
#include "env/notify.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mq_notify_open(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	return fd >= 0 ? fd : -errno;
}

void mq_notify_close(int fd)
{
	(void)close(fd);
}

/* Neither can fail but by a full counter, which is readable all the same, and
 * an empty one, which is clear. */
void mq_notify_set(int fd)
{
	uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof(one));

	(void)n;
}

void mq_notify_clear(int fd)
{
	uint64_t count;
	ssize_t n = read(fd, &count, sizeof(count));

	(void)n;
}
