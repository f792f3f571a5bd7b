/* A port that a test's broker can come back to. */
#ifndef MQ_TESTS_PORT_H
#define MQ_TESTS_PORT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Below what the system gives to sockets that ask for any: while the broker is down
 * another connection could have got its port, even one that was meant for the broker. */
#define PORT_MIN 10000
#define PORT_END 32768

/* Nobody listens there now. */
static inline int port_free(void)
{
	struct timespec t;
	unsigned at;

	clock_gettime(CLOCK_MONOTONIC, &t);
	at = (unsigned)getpid() * 7919u + (unsigned)t.tv_nsec;
	for (int i = 0; i < PORT_END - PORT_MIN; i++) {
		int port = PORT_MIN + (int)((at + (unsigned)i) % (PORT_END - PORT_MIN)), on = 1;
		struct sockaddr_in addr = {.sin_family = AF_INET,
					   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
					   .sin_port = htons((uint16_t)port)};
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		bool mine = fd >= 0 &&
			    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
			    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;

		if (fd >= 0)
			close(fd);
		if (mine)
			return port;
	}
	fprintf(stderr, "no free port\n");
	abort();
}

#endif
