/* The version of the library. */
#include <config.h>

#include <mq/mq.h>

const char *mq_version(void)
{
	return PACKAGE_VERSION;
}
