/* Dialling a port of this machine that nobody listens on. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/dial.h"
#include "net/kit.h"

#define DEADLINE_US INT64_C(60000000)

static struct mq_dial_args args;
static int n_dials;
static bool met;

/* One that the system may give to the socket that dials it. */
static uint16_t given_port(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0), listener = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&addr, size), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&addr, &size), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, size), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &size), 0);
	close(fd);
	close(listener);
	return ntohs(addr.sin_port);
}

static void on_dialled(void *arg, int fd, const mq_error *why)
{
	struct mq_dial *dial;

	(void)arg;
	ck_assert_msg(fd < 0, "dial %d was taken for a connection", n_dials);
	ck_assert_int_eq(why->code, MQ_E_CONNECT);
	n_dials++;
	met = strstr(why->text, "itself") != NULL;
	ck_assert_msg(mq_env_now_us(env) < args.deadline_us, "%d dials never met", n_dials);
	if (!met)
		ck_assert_int_eq(mq_dial_start(&args, &dial, NULL), MQ_OK);
}

/* The system gives each socket a port of its own, sometimes the very one it dials:
 * then the two ends are one, and a broker could not listen there again. */
START_TEST(a_socket_does_not_talk_to_itself)
{
	struct mq_dial *dial;

	args = (struct mq_dial_args){.loop = loop,
				     .host = "127.0.0.1",
				     .port = given_port(),
				     .deadline_us = mq_env_now_us(env) + DEADLINE_US,
				     .done = on_dialled};
	ck_assert_int_eq(mq_dial_start(&args, &dial, NULL), MQ_OK);
	while (!met)
		mq_loop_step(loop, args.deadline_us);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    a_socket_does_not_talk_to_itself,
	};

	return SUITE_RUN_WITH("dial", setup, teardown, tests);
}
