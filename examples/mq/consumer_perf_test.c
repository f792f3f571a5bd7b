/* mq consumer-perf-test: reads records as fast as it can and says how it went, in
 * the words of Kafka's own test. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stop.h"
#include "tool.h"

#define COMMAND "consumer-perf-test"

/* How long leaving the group may take. */
#define CLOSE_MS 30000
#define POLL_MS  100

struct count {
	int64_t n, bytes, ms, join_ms;
};

struct perf {
	const char *topic, *group, *bootstrap, *config, *date_format, *threads, *fetchers;
	int64_t n_wanted, timeout_ms, interval_ms;
	int32_t fetch_size, socket_size;
	bool wanted_given, from_latest, print_metrics, detailed, hide_header, json;
	struct opt_list properties;
	const struct opt_set *set;

	mq_consumer *consumer;
	struct count now, last;
	int64_t began_ms, join_began_ms, join_ms_all;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- the time as text --------------------------------------------------------------- */

/* Letters of Java's SimpleDateFormat and what they stand for in strftime(). */
static void put_field(char letter, int width, const struct tm *tm, int ms)
{
	static const struct {
		char letter;
		const char *format;
	} fields[] = {{'y', "%Y"}, {'M', "%m"}, {'d', "%d"}, {'H', "%H"}, {'h', "%I"},
		      {'m', "%M"}, {'s', "%S"}, {'a', "%p"}, {'E', "%a"}, {'Z', "%z"}};
	char text[64] = "";

	if (letter == 'S') {
		printf("%0*d", width, ms);
		return;
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (fields[i].letter != letter)
			continue;
		strftime(text, sizeof(text), fields[i].format, tm);
		/* "yy" is the year's last two digits, "MMM" the month's name. */
		if (letter == 'y' && width == 2)
			snprintf(text, sizeof(text), "%02d", tm->tm_year % 100);
		if (letter == 'M' && width >= 3)
			strftime(text, sizeof(text), width == 3 ? "%b" : "%B", tm);
		printf("%s", text);
		return;
	}
	printf("%.*s", width, "????");
}

static void put_time(const char *format, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	localtime_r(&seconds, &tm);
	while (*format) {
		char c = *format;
		int width = 0;

		if (c == '\'') { /* quoted text */
			const char *end = strchr(++format, '\'');

			printf("%.*s", end ? (int)(end - format) : (int)strlen(format), format);
			format = end ? end + 1 : format + strlen(format);
			continue;
		}
		while (format[width] == c)
			width++;
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
			put_field(c, width, &tm, (int)(ms % 1000));
		else
			printf("%.*s", width, format);
		format += width;
	}
}

/* --- what is printed ------------------------------------------------------------------- */

static double megabytes(int64_t bytes)
{
	return (double)bytes / (1024 * 1024);
}

static double a_second(double amount, int64_t ms)
{
	return ms > 0 ? 1000 * amount / (double)ms : 0;
}

static void print_header(const struct perf *p)
{
	printf("%s, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, "
	       "rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec\n",
	       p->detailed ? "time, threadId" : "start.time, end.time");
}

/* One interval. */
static void print_progress(const struct perf *p)
{
	const struct count *a = &p->last, *b = &p->now;
	int64_t ms = b->ms - a->ms, fetch_ms = ms - b->join_ms, n = b->n - a->n;
	double mb = megabytes(b->bytes - a->bytes);

	put_time(p->date_format, b->ms);
	printf(", %d, %.4f, %.4f, %" PRId64 ", %.4f, %" PRId64 ", %" PRId64 ", %.4f, %.4f\n", 0,
	       megabytes(b->bytes), a_second(mb, ms), b->n, a_second((double)n, ms), b->join_ms,
	       fetch_ms, a_second(mb, fetch_ms), a_second((double)n, fetch_ms));
	fflush(stdout);
}

static void print_total(const struct perf *p, int64_t ended_ms)
{
	int64_t ms = ended_ms - p->began_ms, fetch_ms = ms - p->join_ms_all;
	double mb = megabytes(p->now.bytes);

	put_time(p->date_format, p->began_ms);
	printf(", ");
	put_time(p->date_format, ended_ms);
	printf(", %.4f, %.4f, %" PRId64 ", %.4f, %" PRId64 ", %" PRId64 ", %.4f, %.4f\n", mb,
	       a_second(mb, ms), p->now.n, a_second((double)p->now.n, ms), p->join_ms_all, fetch_ms,
	       a_second(mb, fetch_ms), a_second((double)p->now.n, fetch_ms));
}

/* The consumer's counters by name. */
static cJSON *metrics_of(const struct perf *p)
{
	cJSON *json = cJSON_CreateObject();
	mq_consumer_metrics m;

	mq_consumer_metrics_get(p->consumer, &m);
	cJSON_AddNumberToObject(json, "records-consumed", (double)m.records_consumed);
	cJSON_AddNumberToObject(json, "bytes-fetched", (double)m.bytes_fetched);
	cJSON_AddNumberToObject(json, "fetch-requests", (double)m.fetch_requests);
	cJSON_AddNumberToObject(json, "polls", (double)m.polls);
	cJSON_AddNumberToObject(json, "commits", (double)m.commits);
	cJSON_AddNumberToObject(json, "commits-failed", (double)m.commits_failed);
	cJSON_AddNumberToObject(json, "rebalances", (double)m.rebalances);
	cJSON_AddNumberToObject(json, "heartbeats", (double)m.heartbeats);
	return json;
}

/* What intervals and the whole have in common. */
static void add_rates(cJSON *json, int64_t n, int64_t bytes, int64_t ms, int64_t join_ms)
{
	double mb = megabytes(bytes);

	cJSON_AddNumberToObject(json, "records", (double)n);
	tool_add_measured(json, "recordsPerSec", a_second((double)n, ms));
	tool_add_measured(json, "megabytes", mb);
	tool_add_measured(json, "megabytesPerSec", a_second(mb, ms));
	cJSON_AddNumberToObject(json, "rebalanceTimeMs", (double)join_ms);
	cJSON_AddNumberToObject(json, "fetchTimeMs", (double)(ms - join_ms));
	tool_add_measured(json, "fetchRecordsPerSec", a_second((double)n, ms - join_ms));
	tool_add_measured(json, "fetchMegabytesPerSec", a_second(mb, ms - join_ms));
}

static int print_json(cJSON *json)
{
	int code = tool_print_json(&(struct tool){.command = COMMAND}, json);

	fflush(stdout);
	return code;
}

static void print_progress_json(const struct perf *p)
{
	const struct count *a = &p->last, *b = &p->now;
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "type", "interval");
	cJSON_AddNumberToObject(json, "startTimestamp", (double)a->ms);
	cJSON_AddNumberToObject(json, "endTimestamp", (double)b->ms);
	add_rates(json, b->n - a->n, b->bytes - a->bytes, b->ms - a->ms, b->join_ms);
	print_json(json);
}

static int print_total_json(const struct perf *p, int64_t ended_ms)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "type", "total");
	cJSON_AddNumberToObject(json, "startTimestamp", (double)p->began_ms);
	cJSON_AddNumberToObject(json, "endTimestamp", (double)ended_ms);
	add_rates(json, p->now.n, p->now.bytes, ended_ms - p->began_ms, p->join_ms_all);
	cJSON_AddBoolToObject(json, "complete", p->now.n >= p->n_wanted);
	if (p->print_metrics)
		cJSON_AddItemToObject(json, "metrics", metrics_of(p));
	return print_json(json);
}

static int print_end(const struct perf *p, int64_t ended_ms)
{
	cJSON *metrics;
	const cJSON *metric;

	if (p->json)
		return print_total_json(p, ended_ms) == EXIT_OK ? -1 : EXIT_FAILED;
	if (!p->detailed)
		print_total(p, ended_ms);
	if (p->print_metrics) {
		metrics = metrics_of(p);
		cJSON_ArrayForEach(metric, metrics)
		    printf("%s %.0f\n", metric->string, metric->valuedouble);
		cJSON_Delete(metrics);
	}
	return -1;
}

/* --- consuming -------------------------------------------------------------------------- */

static void on_revoked(void *arg, mq_consumer *consumer, const mq_topic_partition *partitions,
		       size_t n)
{
	struct perf *p = arg;

	(void)consumer;
	(void)partitions;
	(void)n;
	p->join_began_ms = now_ms();
}

static void on_assigned(void *arg, mq_consumer *consumer, const mq_topic_partition *partitions,
			size_t n)
{
	struct perf *p = arg;
	int64_t ms = now_ms() - p->join_began_ms;

	(void)consumer;
	(void)partitions;
	(void)n;
	p->join_ms_all += ms;
	p->now.join_ms += ms;
}

static void count(struct perf *p, const mq_records *records)
{
	const mq_received *r = mq_records_all(records);
	size_t n = mq_records_count(records);

	for (size_t i = 0; i < n; i++)
		p->now.bytes += (int64_t)(r[i].key.size + r[i].value.size);
	p->now.n += (int64_t)n;
}

static int consume(struct perf *p)
{
	int64_t last_record_ms = p->began_ms;

	p->now.ms = p->last.ms = p->began_ms;
	while (p->now.n < p->n_wanted && p->now.ms - last_record_ms <= p->timeout_ms &&
	       !stop_told()) {
		mq_error error = {MQ_OK, ""};
		mq_records *records = mq_consumer_poll(p->consumer, POLL_MS, &error);

		if (!records && error.code != MQ_OK && error.code != MQ_E_WOKEN)
			return fail_error(COMMAND, &error);
		p->now.ms = now_ms();
		if (mq_records_count(records) == 0)
			continue;
		last_record_ms = p->now.ms;
		count(p, records);
		if (p->now.ms - p->last.ms < p->interval_ms)
			continue;
		if (p->detailed && p->json)
			print_progress_json(p);
		else if (p->detailed)
			print_progress(p);
		p->now.join_ms = 0;
		p->last = p->now;
	}
	if (p->now.n < p->n_wanted && !stop_told())
		fprintf(
		    p->json ? stderr : stdout,
		    "WARNING: Exiting before consuming the expected number of messages: timeout "
		    "(%" PRId64 " ms) exceeded. You can use the --timeout option to increase "
		    "the timeout.\n",
		    p->timeout_ms);
	return -1;
}

static int run(struct perf *p)
{
	const mq_rebalance_listener listener = {
	    .arg = p, .on_revoked = on_revoked, .on_assigned = on_assigned};
	mq_error error;
	int64_t ended_ms;
	int code = -1;

	if (!p->hide_header && !p->json)
		print_header(p);
	p->began_ms = p->join_began_ms = now_ms();
	if (mq_consumer_subscribe(p->consumer, &p->topic, 1, &listener, &error) != MQ_OK)
		return fail_error(COMMAND, &error);
	code = consume(p);
	ended_ms = now_ms();
	if (code == -1)
		code = print_end(p, ended_ms);
	if (mq_consumer_close(p->consumer, CLOSE_MS, &error) != MQ_OK && code == -1)
		code = fail_error(COMMAND, &error);
	return code;
}

/* --- the command ---------------------------------------------------------------------------- */

static int set_number(mq_conf *conf, const char *key, int32_t value)
{
	char text[16];
	mq_error error;

	snprintf(text, sizeof(text), "%d", value);
	return mq_conf_set(conf, key, text, &error) == MQ_OK ? -1 : fail_error(COMMAND, &error);
}

static int set(mq_conf *conf, const char *key, const char *value)
{
	mq_error error;

	return mq_conf_set(conf, key, value, &error) == MQ_OK ? -1 : fail_error(COMMAND, &error);
}

/* What the flags say wins over the file, as with Kafka's test; --consumer-property
 * wins over both. */
static int configure(const struct perf *p, mq_conf *conf)
{
	const char *client;
	char group[64];
	mq_error error;
	int code = -1;

	snprintf(group, sizeof(group), "perf-consumer-%05ld",
		 ((long)time(NULL) * 31 + (long)getpid()) % 100000);
	if (p->config && mq_conf_load(conf, p->config, &error) != MQ_OK)
		return fail_error(COMMAND, &error);
	code = set(conf, "bootstrap.servers", p->bootstrap ? p->bootstrap : "localhost:9092");
	if (code == -1)
		code = set(conf, "group.id", p->group ? p->group : group);
	if (code == -1)
		code = set(conf, "auto.offset.reset", p->from_latest ? "latest" : "earliest");
	if (code == -1)
		code = set(conf, "check.crcs", "false");
	if (code == -1)
		code = set_number(conf, "max.partition.fetch.bytes", p->fetch_size);
	if (code == -1)
		code = set_number(conf, "receive.buffer.bytes", p->socket_size);
	client = mq_conf_get(conf, "client.id");
	if (code == -1 && (!client || !*client))
		code = set(conf, "client.id", "perf-consumer-client");
	for (int i = 0; code == -1 && i < p->properties.n; i++)
		code = tool_set_pair(COMMAND, conf, p->properties.items[i]);
	return code;
}

static int open_and_run(struct perf *p)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER);
	mq_error error;
	int code = conf ? configure(p, conf) : fail(COMMAND, "out of memory");

	stop_block();
	if (code == -1) {
		p->consumer = mq_consumer_new(conf, &error);
		if (!p->consumer)
			code = fail_error(COMMAND, &error);
	}
	mq_conf_free(conf);
	if (code == -1)
		code = stop_watch(COMMAND, p->consumer);
	if (code == -1)
		code = run(p);
	stop_unwatch();
	mq_consumer_free(p->consumer);
	return code == -1 ? EXIT_OK : code;
}

static int check(const struct perf *p)
{
	if (!p->topic)
		return opt_mistake(p->set, "--topic is missing");
	if (!p->wanted_given || p->n_wanted <= 0)
		return opt_mistake(p->set, "--messages is missing or not above 0");
	if (p->interval_ms <= 0)
		return opt_mistake(p->set, "--reporting-interval has to be above 0");
	if (p->threads || p->fetchers)
		fprintf(stderr, "mq " COMMAND
				": warning: --threads and --num-fetch-threads have no effect\n");
	return -1;
}

int cmd_consumer_perf_test(int argc, char **argv)
{
	struct perf p = {.timeout_ms = 10000,
			 .interval_ms = 5000,
			 .fetch_size = 1024 * 1024,
			 .socket_size = 2 * 1024 * 1024,
			 .date_format = "yyyy-MM-dd HH:mm:ss:SSS"};
	const struct opt opts[] = {
	    {"topic", OPT_STRING, &p.topic, "TOPIC", "the topic to read", NULL},
	    {"messages", OPT_LONG, &p.n_wanted, "N", "how many records", &p.wanted_given},
	    {"bootstrap-server", OPT_STRING, &p.bootstrap, "HOST:PORT,...",
	     "brokers to begin with; localhost:9092 if left out", NULL},
	    {"broker-list", OPT_HIDDEN, &p.bootstrap, "HOST:PORT,...", "", NULL},
	    {"group", OPT_STRING, &p.group, "GROUP", "the group; one of its own if left out", NULL},
	    {"from-latest", OPT_FLAG, &p.from_latest, NULL,
	     "where nothing is committed, begin with new records", NULL},
	    {"timeout", OPT_LONG, &p.timeout_ms, "MS",
	     "end when no record comes for so long; 10000 if left out", NULL},
	    {"fetch-size", OPT_INT, &p.fetch_size, "BYTES",
	     "max.partition.fetch.bytes; 1048576 if left out", NULL},
	    {"socket-buffer-size", OPT_INT, &p.socket_size, "BYTES",
	     "receive.buffer.bytes; 2097152 if left out", NULL},
	    {"consumer.config", OPT_STRING, &p.config, "FILE", "properties of the consumer", NULL},
	    {"consumer-property", OPT_LIST, &p.properties, "KEY=VALUE", "a key of the consumer",
	     NULL},
	    {"show-detailed-stats", OPT_FLAG, &p.detailed, NULL,
	     "print a line for each interval, not one for all", NULL},
	    {"reporting-interval", OPT_LONG, &p.interval_ms, "MS", "the interval; 5000 if left out",
	     NULL},
	    {"date-format", OPT_STRING, &p.date_format, "FORMAT",
	     "how times are printed: yyyy-MM-dd HH:mm:ss:SSS if left out", NULL},
	    {"hide-header", OPT_FLAG, &p.hide_header, NULL, "print no header", NULL},
	    {"print-metrics", OPT_FLAG, &p.print_metrics, NULL, "print the consumer's counters",
	     NULL},
	    {"json", OPT_FLAG, &p.json, NULL, "print each line as JSON, without a header", NULL},
	    {"threads", OPT_HIDDEN, &p.threads, "N", "", NULL},
	    {"num-fetch-threads", OPT_HIDDEN, &p.fetchers, "N", "", NULL},
	    {NULL, OPT_FLAG, NULL, NULL, NULL, NULL},
	};
	const struct opt_set set = {
	    COMMAND,
	    "--topic TOPIC --messages N [OPTION...]",
	    "Reads records and prints how fast.",
	    "  mq consumer-perf-test --topic first --messages 1000000 "
	    "--bootstrap-server localhost:9092",
	    opts,
	    NULL,
	};
	int code = opt_parse(&set, argc, argv);

	p.set = &set;
	if (code == -1)
		code = check(&p);
	if (code == -1)
		code = open_and_run(&p);
	opt_list_free(&p.properties);
	return code;
}
