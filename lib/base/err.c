/* The one table of errors, and writing down a cause. */
#include "base/err.h"
#include "base/err_table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct err_row {
	int code;
	unsigned flags;
	const char *name;
	const char *text;
};

static const struct err_row rows[] = {
#define MQ_ERR(name, code, flags, text) {code, flags, #name, text},
    MQ_ERR_TABLE(MQ_ERR)
#undef MQ_ERR
};

static const struct err_row *find(mq_err code)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].code == (int)code)
			return &rows[i];
	return NULL;
}

const char *mq_err_name(mq_err code)
{
	const struct err_row *row = find(code);

	return row ? row->name : "UNKNOWN";
}

const char *mq_err_text(mq_err code)
{
	const struct err_row *row = find(code);

	return row ? row->text : "Unknown error";
}

unsigned mq_err_flags(mq_err code)
{
	const struct err_row *row = find(code);

	return row ? row->flags : 0;
}

bool mq_err_retriable(mq_err code)
{
	return mq_err_flags(code) & MQ_EF_R;
}

mq_err mq_fail(mq_error *error, mq_err code, const char *fmt, ...)
{
	va_list ap;

	if (!error)
		return code;
	error->code = code;
	error->kind = MQ_ERROR_PLAIN;
	va_start(ap, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, ap);
	va_end(ap);
	return code;
}

mq_err mq_err_from_errno(int errnum)
{
	switch (errnum) {
	case ENOMEM:
		return MQ_E_NOMEM;
	case ENOSPC:
	case EDQUOT:
		return MQ_E_NOSPC;
	case ETIMEDOUT:
		return MQ_E_TIMED_OUT;
	default:
		return MQ_E_IO;
	}
}

mq_err mq_fail_errno(mq_error *error, int errnum, const char *fmt, ...)
{
	mq_err code = mq_err_from_errno(errnum);
	size_t used;
	va_list ap;

	if (!error)
		return code;
	error->code = code;
	error->kind = MQ_ERROR_PLAIN;
	va_start(ap, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, ap);
	va_end(ap);
	used = strlen(error->text);
	snprintf(error->text + used, sizeof(error->text) - used, ": %s",
	         strerror(errnum));
	return code;
}
