/* mq producer-perf-test: sends records as fast as asked and says how it went,
 * in the words of Kafka's own test. */
#define _GNU_SOURCE /* memmem */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COMMAND "producer-perf-test"

/* A transaction is committed after this time, unless another is given. */
#define TRANSACTION_MS 3000

/* How long what is queued at the end is waited for. */
#define CLOSE_MS 600000

/* A line in between comes this often. */
#define WINDOW_MS 5000

/* Latencies are counted by the millisecond; longer ones count as this. */
#define LATENCY_MAX 600000

struct window {
	int64_t n, bytes, total_ms, max_ms;
	int64_t since_ms;
};

struct perf {
	const char *topic, *payload_file, *delimiter, *config, *bootstrap;
	const char *throughput_text, *transactional_id;
	int64_t n_records, transaction_ms;
	double throughput;
	int32_t record_size;
	bool monotonic, print_metrics, json, given_records, given_size, given_throughput;
	bool transactional, given_transaction_ms;
	struct opt_list properties; /* of --producer-props, and the words behind it */
	const struct opt_set *set;

	mq_producer *producer;
	char *text;         /* of the payload file, or one record */
	mq_bytes *payloads; /* into text */
	size_t n_payloads;

	/* Only callbacks touch these until the producer is closed. */
	struct window window, all;
	uint32_t *latencies;
	uint64_t failed;
};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t now_ms(void)
{
	return now_us() / 1000;
}

/* --- payloads ------------------------------------------------------------------------ */

static char *read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	size_t capacity = 0;
	char *data = NULL;

	*size = 0;
	while (f && !ferror(f) && !feof(f)) {
		char *more;

		capacity = capacity ? capacity * 2 : 65536;
		more = realloc(data, capacity);
		if (!more)
			break;
		data = more;
		*size += fread(data + *size, 1, capacity - *size, f);
	}
	if (!f || ferror(f) || !feof(f)) {
		free(data);
		data = NULL;
	}
	if (f)
		fclose(f);
	return data;
}

static bool add_payload(struct perf *p, const char *data, size_t size)
{
	mq_bytes *more = realloc(p->payloads, (p->n_payloads + 1) * sizeof(*more));

	if (!more)
		return false;
	p->payloads = more;
	p->payloads[p->n_payloads++] = mq_mem(data, size);
	return true;
}

static int load_payloads(struct perf *p)
{
	const char *delimiter = strcmp(p->delimiter, "\\n") == 0 ? "\n" : p->delimiter;
	size_t size;
	char *at, *end;

	if (!p->json)
		printf("Reading payloads from: %s\n", p->payload_file);
	p->text = read_file(p->payload_file, &size);
	if (!p->text)
		return fail(COMMAND, "%s cannot be read", p->payload_file);
	for (at = p->text, end = p->text + size; at < end;) {
		char *next = *delimiter
				 ? memmem(at, (size_t)(end - at), delimiter, strlen(delimiter))
				 : NULL;

		if (!add_payload(p, at, (size_t)((next ? next : end) - at)))
			return fail(COMMAND, "out of memory");
		at = next ? next + strlen(delimiter) : end;
	}
	if (p->n_payloads == 0)
		return fail(COMMAND, "%s holds no payload", p->payload_file);
	if (!p->json)
		printf("Number of messages read: %zu\n", p->n_payloads);
	return -1;
}

static int make_payload(struct perf *p)
{
	size_t size = p->monotonic ? 32 : (size_t)p->record_size;

	p->text = malloc(size + 1);
	if (!p->text || !add_payload(p, p->text, size))
		return fail(COMMAND, "out of memory");
	for (size_t i = 0; i < size; i++)
		p->text[i] = (char)('A' + rand() % 26);
	return -1;
}

/* --- what is counted -------------------------------------------------------------------- */

/* What intervals and the whole have in common. */
static cJSON *window_json(const char *type, const struct window *w, double seconds)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "type", type);
	cJSON_AddNumberToObject(json, "records", (double)w->n);
	tool_add_measured(json, "recordsPerSec", (double)w->n / seconds);
	tool_add_measured(json, "megabytesPerSec", (double)w->bytes / seconds / 1048576);
	tool_add_measured(json, "averageLatencyMs",
			  w->n ? (double)w->total_ms / (double)w->n : 0.0);
	cJSON_AddNumberToObject(json, "maxLatencyMs", (double)w->max_ms);
	return json;
}

static int print_json(cJSON *json)
{
	return tool_print_json(&(struct tool){.command = COMMAND}, json);
}

static void print_window(const struct perf *p, struct window *w, int64_t ms)
{
	double seconds = (double)(ms - w->since_ms) / 1000;

	if (p->json)
		print_json(window_json("interval", w, seconds));
	else
		printf("%lld records sent, %.1f records/sec (%.2f MB/sec), %.1f ms avg latency, "
		       "%.1f ms max "
		       "latency.\n",
		       (long long)w->n, (double)w->n / seconds,
		       (double)w->bytes / seconds / 1048576,
		       w->n ? (double)w->total_ms / (double)w->n : 0.0, (double)w->max_ms);
	fflush(stdout);
	*w = (struct window){.since_ms = ms};
}

static void count(struct window *w, int64_t latency_ms, int64_t bytes)
{
	w->n++;
	w->bytes += bytes;
	w->total_ms += latency_ms;
	if (latency_ms > w->max_ms)
		w->max_ms = latency_ms;
}

/* The callbacks' argument is the time a record was sent and its size, so the
 * rest is here. */
static struct perf *running;

#define SIZE_BITS 24 /* of the argument; a size above counts as the largest */
#define SIZE_TOP  ((1u << SIZE_BITS) - 1)

static void *pack(int64_t ms, size_t size)
{
	return (void *)((uintptr_t)ms << SIZE_BITS | (size < SIZE_TOP ? size : SIZE_TOP));
}

static void on_sent(void *arg, const mq_sent *sent)
{
	struct perf *p = running;
	int64_t ms = now_ms(), bytes = (int64_t)((uintptr_t)arg & SIZE_TOP);
	int64_t latency = ms - p->all.since_ms - (int64_t)((uintptr_t)arg >> SIZE_BITS);

	if (sent->err != MQ_OK) {
		if (p->failed++ == 0)
			fprintf(stderr, "mq " COMMAND ": %s\n", sent->text);
		return;
	}
	count(&p->all, latency, bytes);
	count(&p->window, latency, bytes);
	p->latencies[latency < LATENCY_MAX ? latency : LATENCY_MAX]++;
	if (ms - p->window.since_ms >= WINDOW_MS)
		print_window(p, &p->window, ms);
}

static long long percentile(const struct perf *p, double fraction)
{
	int64_t wanted = (int64_t)((double)p->all.n * fraction), seen = 0;

	for (int i = 0; i <= LATENCY_MAX; i++) {
		seen += p->latencies[i];
		if (seen > wanted)
			return i;
	}
	return p->all.max_ms;
}

static void print_total(const struct perf *p, double seconds)
{
	const struct window *w = &p->all;

	printf("%lld records sent, %f records/sec (%.2f MB/sec), %.2f ms avg latency, %.2f ms max "
	       "latency, %lld ms 50th, %lld ms 95th, %lld ms 99th, %lld ms 99.9th.\n",
	       (long long)w->n, (double)w->n / seconds, (double)w->bytes / seconds / 1048576,
	       w->n ? (double)w->total_ms / (double)w->n : 0.0, (double)w->max_ms,
	       percentile(p, 0.5), percentile(p, 0.95), percentile(p, 0.99), percentile(p, 0.999));
}

static int print_total_json(const struct perf *p, double seconds, const cJSON *metrics)
{
	cJSON *json = window_json("total", &p->all, seconds);

	cJSON_AddNumberToObject(json, "p50LatencyMs", (double)percentile(p, 0.5));
	cJSON_AddNumberToObject(json, "p95LatencyMs", (double)percentile(p, 0.95));
	cJSON_AddNumberToObject(json, "p99LatencyMs", (double)percentile(p, 0.99));
	cJSON_AddNumberToObject(json, "p999LatencyMs", (double)percentile(p, 0.999));
	cJSON_AddNumberToObject(json, "failed", (double)p->failed);
	if (p->print_metrics)
		cJSON_AddItemToObject(json, "metrics", cJSON_Duplicate(metrics, true));
	return print_json(json);
}

/* The producer's counters by name. */
static cJSON *metrics_of(const struct perf *p)
{
	cJSON *json = cJSON_CreateObject();
	mq_producer_metrics m;

	mq_producer_metrics_get(p->producer, &m);
	cJSON_AddNumberToObject(json, "records-queued", (double)m.records_queued);
	cJSON_AddNumberToObject(json, "records-delivered", (double)m.records_delivered);
	cJSON_AddNumberToObject(json, "records-failed", (double)m.records_failed);
	cJSON_AddNumberToObject(json, "requests-sent", (double)m.requests_sent);
	cJSON_AddNumberToObject(json, "batches-sent", (double)m.batches_sent);
	cJSON_AddNumberToObject(json, "batches-retried", (double)m.batches_retried);
	cJSON_AddNumberToObject(json, "bytes-sent", (double)m.bytes_sent);
	return json;
}

/* An exit code. */
static int print_end(const struct perf *p)
{
	double seconds = (double)(now_ms() - p->all.since_ms) / 1000;
	cJSON *metrics = metrics_of(p);
	const cJSON *metric;
	int code = EXIT_OK;

	if (seconds <= 0)
		seconds = 0.001;
	if (p->json)
		code = print_total_json(p, seconds, metrics);
	else
		print_total(p, seconds);
	if (p->print_metrics && !p->json)
		cJSON_ArrayForEach(metric, metrics)
		    printf("%s %.0f\n", metric->string, metric->valuedouble);
	cJSON_Delete(metrics);
	return code;
}

/* --- sending ------------------------------------------------------------------------------- */

/* Waits until record number i is due at the rate asked for. */
static void pace(const struct perf *p, int64_t i, int64_t began_us)
{
	int64_t ahead_us;
	struct timespec t;

	if (p->throughput <= 0) /* 0 too: nothing would ever be sent */
		return;
	ahead_us = (int64_t)((double)i * 1e6 / p->throughput) - (now_us() - began_us);
	if (ahead_us < 1000)
		return;
	t = (struct timespec){.tv_sec = ahead_us / 1000000, .tv_nsec = ahead_us % 1000000 * 1000};
	nanosleep(&t, NULL);
}

/* Begins a transaction before the first of its records; *began_ms: when, 0: none is
 * open. */
static int begin(struct perf *p, int64_t *began_ms)
{
	mq_error error;

	if (!p->transactional || *began_ms)
		return -1;
	if (mq_producer_begin_transaction(p->producer, &error) != MQ_OK)
		return fail_error(COMMAND, &error);
	*began_ms = now_ms();
	return -1;
}

/* Commits one that is old enough, or the last. */
static int commit(struct perf *p, int64_t *began_ms, bool last)
{
	mq_error error;

	if (!*began_ms || (!last && now_ms() - *began_ms < p->transaction_ms))
		return -1;
	if (mq_producer_commit_transaction(p->producer, CLOSE_MS, &error) != MQ_OK)
		return fail_error(COMMAND, &error);
	*began_ms = 0;
	return -1;
}

static int send_one(struct perf *p, int64_t i)
{
	mq_record record = {.topic = p->topic};
	size_t at = p->n_payloads > 1 ? (size_t)rand() % p->n_payloads : 0;
	mq_error error;

	record.value = p->payloads[at];
	if (p->monotonic)
		record.value = mq_mem(p->text, (size_t)snprintf(p->text, 32, "%lld", (long long)i));
	if (mq_producer_send(p->producer, &record, on_sent,
			     pack(now_ms() - p->all.since_ms, record.value.size), &error) != MQ_OK)
		return fail_error(COMMAND, &error);
	return -1;
}

static int send_all(struct perf *p)
{
	int64_t began_us = now_us(), txn_ms = 0;
	int code = -1;

	p->all.since_ms = p->window.since_ms = now_ms();
	for (int64_t i = 0; code == -1 && i < p->n_records; i++) {
		pace(p, i, began_us);
		code = begin(p, &txn_ms);
		if (code == -1)
			code = send_one(p, i);
		if (code == -1)
			code = commit(p, &txn_ms, i == p->n_records - 1);
	}
	return code;
}

/* Transactions are on if one of their options is given, or the key is set. */
static int set_transactions(struct perf *p, mq_conf *conf)
{
	const char *id = mq_conf_get(conf, "transactional.id");
	char made[60];
	mq_error error;

	p->transactional = p->given_transaction_ms || p->transactional_id || id;
	if (!p->transactional || (id && !p->transactional_id))
		return -1;
	snprintf(made, sizeof(made), "performance-producer-%08x%08x", (unsigned)rand(),
		 (unsigned)now_us());
	if (mq_conf_set(conf, "transactional.id", p->transactional_id ? p->transactional_id : made,
			&error) != MQ_OK)
		return fail_error(COMMAND, &error);
	return -1;
}

static int open_producer(struct perf *p)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	const char *servers;
	mq_error error;
	int code = -1;

	if (!conf)
		return fail(COMMAND, "out of memory");
	if (mq_conf_set(conf, "client.id", "perf-producer-client", &error) != MQ_OK)
		code = fail_error(COMMAND, &error);
	if (code == -1 && p->config && mq_conf_load(conf, p->config, &error) != MQ_OK)
		code = fail_error(COMMAND, &error);
	for (int i = 0; code == -1 && i < p->properties.n; i++)
		code = tool_set_pair(COMMAND, conf, p->properties.items[i]);
	servers = mq_conf_get(conf, "bootstrap.servers");
	if (code == -1 && (p->bootstrap || !servers || !*servers) &&
	    mq_conf_set(conf, "bootstrap.servers", p->bootstrap ? p->bootstrap : "localhost:9092",
			&error) != MQ_OK)
		code = fail_error(COMMAND, &error);
	if (code == -1)
		code = set_transactions(p, conf);
	if (code == -1) {
		p->producer = mq_producer_new(conf, &error);
		if (!p->producer || (p->transactional &&
				     mq_producer_init_transactions(p->producer, CLOSE_MS, &error)))
			code = fail_error(COMMAND, &error);
	}
	mq_conf_free(conf);
	return code;
}

static int run(struct perf *p)
{
	mq_error error;
	int code = p->payload_file ? load_payloads(p) : make_payload(p);

	p->latencies = calloc(LATENCY_MAX + 1, sizeof(*p->latencies));
	if (code == -1 && !p->latencies)
		code = fail(COMMAND, "out of memory");
	if (code == -1)
		code = open_producer(p);
	if (code == -1) {
		running = p;
		code = send_all(p);
		if (mq_producer_close(p->producer, CLOSE_MS, NULL, &error) != MQ_OK)
			code = fail_error(COMMAND, &error);
		if (print_end(p) != EXIT_OK || p->failed > 0)
			code = EXIT_FAILED;
	}
	mq_producer_free(p->producer);
	free(p->latencies);
	free(p->payloads);
	free(p->text);
	return code == -1 ? EXIT_OK : code;
}

static int check(struct perf *p)
{
	char *end = NULL;
	int n = p->given_size + (p->payload_file != NULL) + p->monotonic;

	if (!p->topic)
		return opt_mistake(p->set, "--topic is missing");
	if (!p->given_records || p->n_records <= 0)
		return opt_mistake(p->set, "--num-records is missing or not above 0");
	if (!p->given_throughput)
		return opt_mistake(p->set, "--throughput is missing; -1 does not throttle");
	p->throughput = strtod(p->throughput_text, &end);
	if (end == p->throughput_text || *end)
		return opt_mistake(p->set, "--throughput wants a number, not \"%s\"",
				   p->throughput_text);
	if (n != 1)
		return opt_mistake(p->set, "exactly one of --record-size, --payload-file and "
					   "--payload-monotonic is wanted");
	if (p->given_size && p->record_size <= 0)
		return opt_mistake(p->set, "--record-size has to be above 0");
	if (p->given_transaction_ms && p->transaction_ms <= 0)
		return opt_mistake(p->set, "--transaction-duration-ms has to be above 0");
	return -1;
}

int cmd_producer_perf_test(int argc, char **argv)
{
	struct perf p = {.delimiter = "\\n", .transaction_ms = TRANSACTION_MS};
	const struct opt opts[] = {
	    {"topic", OPT_STRING, &p.topic, "TOPIC", "the topic to send to", NULL},
	    {"num-records", OPT_LONG, &p.n_records, "N", "how many records", &p.given_records},
	    {"record-size", OPT_INT, &p.record_size, "BYTES", "size of each, of random letters",
	     &p.given_size},
	    {"payload-file", OPT_STRING, &p.payload_file, "FILE",
	     "values are chosen from this file at random", NULL},
	    {"payload-delimiter", OPT_STRING, &p.delimiter, "TEXT",
	     "what separates them; a newline if left out", NULL},
	    {"payload-monotonic", OPT_FLAG, &p.monotonic, NULL, "values count up from 0", NULL},
	    {"throughput", OPT_STRING, &p.throughput_text, "N",
	     "records a second at most; -1: no limit", &p.given_throughput},
	    {"producer-props", OPT_LIST, &p.properties, "KEY=VALUE...", "keys of the producer",
	     NULL},
	    {"producer.config", OPT_STRING, &p.config, "FILE", "properties of the producer", NULL},
	    {"bootstrap-server", OPT_STRING, &p.bootstrap, "HOST:PORT,...",
	     "brokers to begin with; localhost:9092 if left out", NULL},
	    {"transactional-id", OPT_STRING, &p.transactional_id, "ID",
	     "transactional.id of the producer, which sends in transactions", NULL},
	    {"transaction-duration-ms", OPT_LONG, &p.transaction_ms, "MS",
	     "commit transactions after this time; 3000 if left out", &p.given_transaction_ms},
	    {"print-metrics", OPT_FLAG, &p.print_metrics, NULL, "print the producer's counters",
	     NULL},
	    {"json", OPT_FLAG, &p.json, NULL, "print each line as JSON", NULL},
	    {NULL, OPT_FLAG, NULL, NULL, NULL, NULL},
	};
	const struct opt_set set = {
	    COMMAND,
	    "--topic TOPIC --num-records N --throughput N OPTION...",
	    "Sends records and prints rate and latencies.",
	    "  mq producer-perf-test --topic first --num-records 1000000 --record-size 100 \\\n"
	    "    --throughput -1 --producer-props bootstrap.servers=localhost:9092 acks=1",
	    opts,
	    &p.properties,
	};
	int code = opt_parse(&set, argc, argv);

	p.set = &set;
	if (code == -1)
		code = check(&p);
	if (code == -1)
		code = run(&p);
	opt_list_free(&p.properties);
	return code;
}
