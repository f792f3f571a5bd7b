/* Guessing what a stranger speaks. */
#include "config.h"

#include "server/guess.h"

#include <string.h>

#include "base/mem.h"

static const struct {
	const char *start;
	const char *what;
} strangers[] = {
    {"GET ", "an HTTP request"},         {"POST", "an HTTP request"},
    {"PUT ", "an HTTP request"},         {"HEAD", "an HTTP request"},
    {"DELE", "an HTTP request"},         {"OPTI", "an HTTP request"},
    {"CONN", "an HTTP request"},         {"PRI ", "an HTTP/2 request"},
    {"\x16\x03", "a TLS handshake"},     {"SSH-", "an SSH client"},
    {"PROX", "a PROXY protocol header"}, {"\r\n\r\n", "a PROXY protocol header"},
};

const char *mq_guess(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < mq_array_size(strangers); i++) {
		size_t n = strlen(strangers[i].start);

		if (size >= n && memcmp(data, strangers[i].start, n) == 0)
			return strangers[i].what;
	}
	return "not Kafka's protocol";
}
