/* What the files of the public administration share. */
#ifndef MQ_API_ADMIN_IMPL_H
#define MQ_API_ADMIN_IMPL_H

#include <mq/admin.h>

/* Checks the admin, an array of n items, and the place for the result. */
mq_err mq_api_check_admin(const mq_admin *admin, const void *items, size_t n, const void *out,
			  mq_error *error);

/* MQ_E_ARG for a name that is NULL. */
mq_err mq_api_check_name(const char *name, mq_error *error);

#endif
