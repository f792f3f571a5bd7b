/* Lines, levels and limits. */
#include "base/logger.h"

#include "suite.h"

#include <stdio.h>
#include <string.h>

static char last[2048];
static int lines;

static void take(void *arg, mq_level level, const char *line)
{
	(void)level;
	ck_assert_ptr_eq(arg, last);
	snprintf(last, sizeof(last), "%s", line);
	lines++;
}

START_TEST(lines_below_the_level_are_dropped)
{
	struct mq_logger logger = {take, last, MQ_LEVEL_WARN};

	lines = 0;
	mq_say(&logger, MQ_LEVEL_INFO, "no");
	ck_assert_int_eq(lines, 0);
	mq_say(&logger, MQ_LEVEL_WARN, "%d %s", 1, "yes");
	ck_assert_str_eq(last, "1 yes");
	mq_say(NULL, MQ_LEVEL_ERROR, "nobody listens");
	logger.fn = NULL;
	mq_say(&logger, MQ_LEVEL_ERROR, "nobody listens");
	ck_assert_int_eq(lines, 1);
}
END_TEST

START_TEST(a_flood_is_one_line_and_a_count)
{
	struct mq_logger logger = {take, last, MQ_LEVEL_INFO};
	struct mq_say_limit limit = {0};

	lines = 0;
	for (int i = 0; i < 100; i++)
		mq_say_limited(&logger, &limit, 1000 + i, MQ_LEVEL_WARN, "again");
	ck_assert_int_eq(lines, 1);
	ck_assert_str_eq(last, "again");
	mq_say_limited(&logger, &limit, 60000000, MQ_LEVEL_WARN, "again");
	ck_assert_int_eq(lines, 2);
	ck_assert_str_eq(last, "again (and 99 more like it)");
	mq_say_limited(&logger, &limit, 120000000, MQ_LEVEL_WARN, "again");
	ck_assert_str_eq(last, "again");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    lines_below_the_level_are_dropped,
	    a_flood_is_one_line_and_a_count,
	};

	return SUITE_RUN("logger", tests);
}
