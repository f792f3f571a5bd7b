/* Errors inside the library: filling in a cause, and what kind an error is. */
#ifndef MQ_BASE_ERR_H
#define MQ_BASE_ERR_H

#include <mq/error.h>

#include "base/hint.h"

enum mq_err_flags {
	MQ_EF_R = 1, /* retriable */
	MQ_EF_M = 2, /* cached metadata is stale */
};

/* Flags of an error; 0 for an unknown code. */
unsigned mq_err_flags(mq_err code);

/*
 * Writes code and cause into error (which may be NULL) and returns code, so
 * that a function can fail in one line.
 */
mq_err mq_fail(mq_error *error, mq_err code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4))) MQ_COLD;

/* The same for a failed system call: appends the text of errnum and picks
 * MQ_E_NOSPC, MQ_E_NOMEM or MQ_E_IO from it. errnum is positive. */
mq_err mq_fail_errno(mq_error *error, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4))) MQ_COLD;

/* The library's error for a positive errno. */
mq_err mq_err_from_errno(int errnum);

#endif
