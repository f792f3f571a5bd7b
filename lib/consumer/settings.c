/* Reading a consumer's configuration, and what its keys say about each other. */
#include "consumer/settings.h"

#include <limits.h>
#include <string.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/topic.h"

/* Milliseconds that still fit as microseconds beside a clock. */
#define MS_MAX (INT64_MAX / 4000)

#define DURATION_PREFIX "by_duration:"

static int64_t ms_to_us(const mq_conf *conf, const char *key)
{
	return MQ_MIN(mq_conf_long(conf, key), MS_MAX) * 1000;
}

/* A string that counts as unset when it is empty. */
static const char *text_of(const mq_conf *conf, const char *key)
{
	const char *text = mq_conf_str(conf, key);

	return text && *text ? text : NULL;
}

/* --- durations ------------------------------------------------------------------- */

/* Reads digits, at most up to max; false when there are none. */
static bool read_number(const char **at, int64_t max, int64_t *out)
{
	const char *p = *at;
	int64_t n = 0;

	while (*p >= '0' && *p <= '9' && n <= max)
		n = n * 10 + (*p++ - '0');
	if (p == *at || n > max)
		return false;
	*at = p;
	*out = n;
	return true;
}

/* The part of a second behind its point, in milliseconds. */
static bool read_fraction(const char **at, int64_t *ms)
{
	const char *p = *at;
	int64_t unit = 100;

	*ms = 0;
	while (*p >= '0' && *p <= '9') {
		*ms += (*p++ - '0') * unit;
		unit /= 10;
	}
	if (p == *at)
		return false;
	*at = p;
	return true;
}

/* One amount and its unit; the units come in their order, each at most once. */
static bool read_amount(const char **at, bool is_time, int *last_unit, int64_t *ms)
{
	static const struct {
		char name;
		bool is_time;
		int64_t ms;
	} units[] = {
	    {'D', false, 86400000}, {'H', true, 3600000}, {'M', true, 60000}, {'S', true, 1000}};
	int64_t n, fraction = 0;

	if (!read_number(at, MS_MAX / 86400000, &n))
		return false;
	if (**at == '.') {
		(*at)++;
		if (!read_fraction(at, &fraction) || **at != 'S')
			return false;
	}
	for (int u = *last_unit + 1; u < (int)mq_array_size(units); u++) {
		if (units[u].name != **at || units[u].is_time != is_time)
			continue;
		(*at)++;
		*last_unit = u;
		*ms += n * units[u].ms + fraction;
		return true;
	}
	return false;
}

/* An ISO 8601 duration as Java reads it: P1DT2H3M4.5S. */
static bool read_duration(const char *text, int64_t *ms)
{
	bool is_time = false, any = false;
	int unit = -1;

	*ms = 0;
	if (*text++ != 'P')
		return false;
	while (*text) {
		if (*text == 'T' && !is_time) {
			is_time = true;
			any = false;
			text++;
			continue;
		}
		if (!read_amount(&text, is_time, &unit, ms))
			return false;
		any = true;
	}
	return any;
}

static mq_err read_reset(struct mq_consumer_settings *s, const mq_conf *conf, mq_error *error)
{
	const char *text = mq_conf_str(conf, "auto.offset.reset");

	if (strcmp(text, "latest") == 0)
		s->reset = MQ_RESET_LATEST;
	else if (strcmp(text, "earliest") == 0)
		s->reset = MQ_RESET_EARLIEST;
	else if (strcmp(text, "none") == 0)
		s->reset = MQ_RESET_NONE;
	else if (strncmp(text, DURATION_PREFIX, strlen(DURATION_PREFIX)) == 0 &&
		 read_duration(text + strlen(DURATION_PREFIX), &s->reset_duration_ms))
		s->reset = MQ_RESET_BY_DURATION;
	else
		return mq_fail(error, MQ_E_CONFIG,
			       "auto.offset.reset is latest, earliest, none or by_duration: and a "
			       "duration such as PT1H, not \"%.100s\"",
			       text);
	return MQ_OK;
}

/* --- the group -------------------------------------------------------------------- */

static mq_err read_group(struct mq_consumer_settings *s, const mq_conf *conf, mq_error *error)
{
	const char *id = mq_conf_str(conf, "group.id");

	if (id && !*id)
		return mq_fail(error, MQ_E_CONFIG, "group.id is empty");
	s->group_id = id;
	s->instance_id = mq_conf_str(conf, "group.instance.id");
	if (s->instance_id && !mq_topic_name_ok(mq_str(s->instance_id)))
		return mq_fail(error, MQ_E_CONFIG,
			       "group.instance.id takes up to 249 letters, digits, '.', '_' and "
			       "'-', so it cannot be \"%.260s\"",
			       s->instance_id);
	s->session_ms = mq_conf_int(conf, "session.timeout.ms");
	s->heartbeat_ms = mq_conf_int(conf, "heartbeat.interval.ms");
	s->poll_interval_ms = mq_conf_int(conf, "max.poll.interval.ms");
	if (s->heartbeat_ms < 1 || s->heartbeat_ms >= s->session_ms)
		return mq_fail(
		    error, MQ_E_CONFIG,
		    "heartbeat.interval.ms has to be above 0 and below session.timeout.ms");
	s->auto_commit = mq_conf_bool(conf, "enable.auto.commit");
	s->auto_commit_us = ms_to_us(conf, "auto.commit.interval.ms");
	if (s->group_id || !s->auto_commit)
		return MQ_OK;
	/* As in Java: without a group nothing is committed, and whoever asks for it
	 * by name has made a mistake. */
	s->auto_commit = false;
	if (mq_conf_is_set(conf, "enable.auto.commit"))
		return mq_fail(error, MQ_E_CONFIG, "enable.auto.commit=true needs group.id");
	return MQ_OK;
}

static void read_fetching(struct mq_consumer_settings *s, const mq_conf *conf)
{
	s->read_committed = strcmp(mq_conf_str(conf, "isolation.level"), "read_committed") == 0;
	s->check_crcs = mq_conf_bool(conf, "check.crcs");
	s->fetch_min_bytes = mq_conf_int(conf, "fetch.min.bytes");
	s->fetch_max_wait_ms = mq_conf_int(conf, "fetch.max.wait.ms");
	s->fetch_max_bytes = mq_conf_int(conf, "fetch.max.bytes");
	s->part_max_bytes = mq_conf_int(conf, "max.partition.fetch.bytes");
	s->poll_records = mq_conf_int(conf, "max.poll.records");
	s->memory_max = mq_conf_long(conf, "mq.fetch.buffer.bytes");
}

mq_err mq_consumer_settings_read(struct mq_consumer_settings *out, const mq_conf *conf,
				 mq_error *error)
{
	struct mq_consumer_settings s = {0};
	const char *rack = text_of(conf, "client.rack");
	mq_err err;

	s.client_id = mq_conf_str(conf, "client.id");
	s.rack = rack ? rack : "";
	s.exclude_internal = mq_conf_bool(conf, "exclude.internal.topics");
	s.auto_create = mq_conf_bool(conf, "allow.auto.create.topics");
	s.api_us = ms_to_us(conf, "default.api.timeout.ms");
	s.request_ms = mq_conf_int(conf, "request.timeout.ms");
	s.retry_us = ms_to_us(conf, "retry.backoff.ms");
	s.retry_max_us = MQ_MAX(ms_to_us(conf, "retry.backoff.max.ms"), s.retry_us);
	s.metadata_age_us = ms_to_us(conf, "metadata.max.age.ms");
	read_fetching(&s, conf);
	err = read_group(&s, conf, error);
	if (err == MQ_OK)
		err = read_reset(&s, conf, error);
	if (err == MQ_OK)
		*out = s;
	return err;
}
