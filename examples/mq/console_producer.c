/* mq console-producer: each line of standard input becomes a record. */
#define _GNU_SOURCE /* memmem */
#include "tool.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COMMAND "console-producer"

/* How long what is queued at the end is waited for. */
#define CLOSE_MS 120000

/* Lines between two looks at the clock for the progress line, and its pace. */
#define PROGRESS_LINES   256
#define PROGRESS_SECONDS 0.2

/* Headers of one line at most. */
#define HEADERS_MAX 1024

struct console {
	const char *topic, *bootstrap, *codec, *config, *reader, *reader_config;
	struct opt_list properties, producer_properties;
	struct opt_list lines; /* of --reader-config */
	bool sync;
	/* What the flags below say, as text of the keys they stand for. */
	const char *batch_size, *retries, *retry_backoff, *linger, *acks, *request_timeout;
	const char *metadata_age, *max_block, *memory, *partition_memory, *socket_buffer;
	const struct opt_set *set;

	bool parse_key, parse_headers, ignore_error;
	const char *key_separator, *headers_delimiter, *headers_separator, *header_key_separator;
	const char *null_marker;

	mq_producer *producer;
	mq_header headers[HEADERS_MAX];
	unsigned long long line, bytes;
	atomic_ullong failed;

	bool prompt; /* a person types */
	double started, shown;
	long long size; /* of the file; 0: no progress line */
};

/* --- the producer's configuration ------------------------------------------------- */

static void log_line(void *arg, mq_level level, const char *line)
{
	(void)arg;
	fprintf(stderr, "mq " COMMAND ": %s%s\n", level == MQ_LEVEL_WARN ? "warning: " : "", line);
}

/* Kafka's rule: a flag that is given wins over properties, and these over the
 * flag's default. */
static int set_flags(const struct console *c, mq_conf *conf, bool defaults)
{
	const struct {
		const char *key, *given, *value;
	} flags[] = {
	    {"bootstrap.servers", c->bootstrap, "localhost:9092"},
	    {"client.id", NULL, COMMAND},
	    {"compression.type", c->codec && !*c->codec ? "gzip" : c->codec, "none"},
	    {"linger.ms", c->linger, "1000"},
	    {"acks", c->acks, "-1"},
	    {"request.timeout.ms", c->request_timeout, "1500"},
	    {"retries", c->retries, "3"},
	    {"retry.backoff.ms", c->retry_backoff, "100"},
	    {"send.buffer.bytes", c->socket_buffer, "102400"},
	    {"buffer.memory", c->memory, "33554432"},
	    {"batch.size", c->batch_size, "16384"},
	    {"batch.size", c->partition_memory, NULL},
	    {"metadata.max.age.ms", c->metadata_age, "300000"},
	    {"max.block.ms", c->max_block, "60000"},
	};
	mq_error error;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		const char *value = defaults ? flags[i].value : flags[i].given;

		if (value && mq_conf_set(conf, flags[i].key, value, &error) != MQ_OK)
			return fail_error(COMMAND, &error);
	}
	return -1;
}

static int open_producer(struct console *c)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_error error;
	int code;

	if (!conf)
		return fail(COMMAND, "out of memory");
	code = set_flags(c, conf, true);
	if (code == -1 && c->config && mq_conf_load(conf, c->config, &error) != MQ_OK)
		code = fail_error(COMMAND, &error);
	for (int i = 0; code == -1 && i < c->producer_properties.n; i++)
		code = tool_set_pair(COMMAND, conf, c->producer_properties.items[i]);
	if (code == -1)
		code = set_flags(c, conf, false);
	mq_conf_set_logger(conf, MQ_LEVEL_WARN, log_line, NULL);
	if (code == -1) {
		c->producer = mq_producer_new(conf, &error);
		if (!c->producer)
			code = fail_error(COMMAND, &error);
	}
	mq_conf_free(conf);
	return code;
}

/* --- the reader's properties --------------------------------------------------------- */

static int set_property(struct console *c, char *pair)
{
	const struct {
		const char *name;
		bool *flag;
		const char **text;
	} properties[] = {
	    {"parse.key", &c->parse_key, NULL},
	    {"parse.headers", &c->parse_headers, NULL},
	    {"ignore.error", &c->ignore_error, NULL},
	    {"key.separator", NULL, &c->key_separator},
	    {"headers.delimiter", NULL, &c->headers_delimiter},
	    {"headers.separator", NULL, &c->headers_separator},
	    {"headers.key.separator", NULL, &c->header_key_separator},
	    {"null.marker", NULL, &c->null_marker},
	};
	char *eq = strchr(pair, '=');

	if (!eq)
		return opt_mistake(c->set, "--property %s: KEY=VALUE is wanted", pair);
	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
		if (strlen(properties[i].name) != (size_t)(eq - pair) ||
		    memcmp(properties[i].name, pair, (size_t)(eq - pair)) != 0)
			continue;
		if (properties[i].flag)
			*properties[i].flag = strcasecmp(eq + 1, "true") == 0;
		else if (!eq[1])
			return opt_mistake(c->set, "--property %s: the value is empty", pair);
		else
			*properties[i].text = eq + 1;
		return -1;
	}
	*eq = '\0';
	return opt_mistake(c->set, "there is no reader property %s", pair);
}

static bool keep_line(struct console *c, char *line)
{
	char **items = realloc(c->lines.items, ((size_t)c->lines.n + 1) * sizeof(*items));

	if (!items)
		return false;
	c->lines.items = items;
	items[c->lines.n++] = line;
	return true;
}

/* The file of --reader-config, a property a line. Its lines stay in memory, since
 * their values are in use. */
static int read_properties(struct console *c)
{
	FILE *f = fopen(c->reader_config, "r");
	size_t capacity = 0;
	char *line = NULL;
	int code = -1;

	if (!f)
		return fail(COMMAND, "%s cannot be read", c->reader_config);
	while (code == -1 && getline(&line, &capacity, f) >= 0) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[strspn(line, " \t")] == '\0' || *line == '#')
			continue;
		if (!keep_line(c, line)) {
			code = fail(COMMAND, "out of memory");
			break;
		}
		code = set_property(c, line);
		line = NULL;
		capacity = 0;
	}
	free(line);
	fclose(f);
	return code;
}

/* What could not be told apart in a line. */
static int check_properties(const struct console *c)
{
	const struct {
		const char *name, *value;
	} p[] = {
	    {"headers.delimiter", c->headers_delimiter},
	    {"headers.separator", c->headers_separator},
	    {"headers.key.separator", c->header_key_separator},
	    {"null.marker", c->null_marker},
	    {"key.separator", c->key_separator},
	};

	for (int i = 0; i < 5; i++)
		for (int j = i + 1; j < 5; j++)
			/* Headers and key may be separated alike. */
			if ((j < 4 || i == 3) && p[i].value && p[j].value &&
			    strcmp(p[i].value, p[j].value) == 0)
				return opt_mistake(c->set, "%s and %s may not be equal", p[i].name,
						   p[j].name);
	return -1;
}

static int check_reader(const struct console *c)
{
	static const char name[] = "LineMessageReader";
	size_t n = c->reader ? strlen(c->reader) : 0;

	if (!c->reader || (n >= strlen(name) && strcmp(c->reader + n - strlen(name), name) == 0))
		return -1;
	return opt_mistake(c->set, "--line-reader %s: there is %s only", c->reader, name);
}

/* --- lines ------------------------------------------------------------------------------ */

/* Cuts the part before a separator off the rest; false: there is none. */
static bool cut(mq_bytes *rest, const char *separator, mq_bytes *part)
{
	const char *at = memmem(rest->data, rest->size, separator, strlen(separator));
	size_t n;

	if (!at)
		return false;
	n = (size_t)(at - (const char *)rest->data);
	*part = mq_mem(rest->data, n);
	n += strlen(separator);
	*rest = mq_mem((const char *)rest->data + n, rest->size - n);
	return true;
}

static mq_bytes or_null(const struct console *c, mq_bytes b)
{
	if (c->null_marker && b.size == strlen(c->null_marker) &&
	    memcmp(b.data, c->null_marker, b.size) == 0)
		return mq_str(NULL);
	return b;
}

static int bad_line(const struct console *c, const char *what, const char *separator)
{
	return fail(COMMAND, "line %llu: no %s: the separator \"%s\" is missing", c->line, what,
		    separator);
}

static int parse_headers(struct console *c, mq_bytes text, mq_record *record)
{
	bool more = true;

	record->headers = c->headers;
	while (more) {
		mq_header *header = &c->headers[record->n_headers];
		mq_bytes item;

		more = cut(&text, c->headers_separator, &item);
		if (!more)
			item = text;
		if (record->n_headers == HEADERS_MAX)
			return fail(COMMAND, "line %llu: more than %d headers", c->line,
				    HEADERS_MAX);
		header->value = item;
		if (!cut(&header->value, c->header_key_separator, &header->key)) {
			if (!c->ignore_error)
				return bad_line(c, "header value", c->header_key_separator);
			header->key = item;
			header->value = mq_str(NULL);
		}
		if (!or_null(c, header->key).data)
			return fail(COMMAND, "line %llu: a header's key cannot be null", c->line);
		header->value = or_null(c, header->value);
		record->n_headers++;
	}
	return -1;
}

/* -1 to go on; what ignore.error lets pass becomes the value. */
static int parse_line(struct console *c, mq_bytes line, mq_record *record)
{
	mq_bytes part;

	if (c->parse_headers) {
		if (cut(&line, c->headers_delimiter, &part)) {
			if (or_null(c, part).data && part.size > 0) {
				int code = parse_headers(c, part, record);

				if (code != -1)
					return code;
			}
		} else if (!c->ignore_error) {
			return bad_line(c, "headers", c->headers_delimiter);
		}
	}
	if (c->parse_key) {
		if (cut(&line, c->key_separator, &part))
			record->key = or_null(c, part);
		else if (!c->ignore_error)
			return bad_line(c, "key", c->key_separator);
	}
	record->value = or_null(c, line);
	return -1;
}

/* --- sending ----------------------------------------------------------------------------- */

static void on_sent(void *arg, const mq_sent *sent)
{
	struct console *c = arg;

	if (sent->err == MQ_OK)
		return;
	/* The first tells why; a million times the same would not tell more. */
	if (atomic_fetch_add(&c->failed, 1) == 0)
		fprintf(stderr, "mq " COMMAND ": %s\n", sent->text);
}

static int send_record(struct console *c, const mq_record *record)
{
	mq_error error;
	mq_future *future;
	mq_err err;

	if (!c->sync) {
		err = mq_producer_send(c->producer, record, on_sent, c, &error);
		return err == MQ_OK ? -1 : fail_error(COMMAND, &error);
	}
	future = mq_producer_send_future(c->producer, record, &error);
	if (!future)
		return fail_error(COMMAND, &error);
	err = mq_future_get(future, CLOSE_MS, NULL, &error);
	mq_future_free(future);
	return err == MQ_OK ? -1 : fail_error(COMMAND, &error);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void show_progress(struct console *c, bool last)
{
	double t = now(), seconds = t - c->started;

	if (!last && t - c->shown < PROGRESS_SECONDS)
		return;
	c->shown = t;
	fprintf(stderr, "\r%3.0f %%  %llu records  %.1f MB  %.0f records/s%s",
		100.0 * (double)c->bytes / (double)c->size, c->line, (double)c->bytes / 1e6,
		seconds > 0 ? (double)c->line / seconds : 0.0, last ? "\n" : "");
}

static ssize_t next_line(const struct console *c, char **line, size_t *capacity)
{
	if (c->prompt) {
		putchar('>');
		fflush(stdout);
	}
	return getline(line, capacity, stdin);
}

static int read_lines(struct console *c)
{
	struct stat st;
	char *line = NULL;
	size_t capacity = 0;
	ssize_t n;
	int code = -1;

	c->started = c->shown = now();
	if (fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode))
		c->size = st.st_size;
	c->prompt = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	while (code == -1 && (n = next_line(c, &line, &capacity)) >= 0) {
		mq_record record = {.topic = c->topic};

		c->line++;
		c->bytes += (unsigned long long)n;
		if (n > 0 && line[n - 1] == '\n')
			n--;
		if (n > 0 && line[n - 1] == '\r')
			n--;
		code = parse_line(c, mq_mem(line, (size_t)n), &record);
		if (code == -1)
			code = send_record(c, &record);
		if (c->size > 0 && c->line % PROGRESS_LINES == 0)
			show_progress(c, false);
	}
	if (code == -1 && ferror(stdin))
		code = fail(COMMAND, "standard input cannot be read");
	free(line);
	return code;
}

static int run(struct console *c)
{
	mq_error error;
	uint64_t lost;
	int code = open_producer(c);

	if (code != -1)
		return code;
	code = read_lines(c);
	if (mq_producer_close(c->producer, CLOSE_MS, &lost, &error) != MQ_OK && lost == 0)
		code = fail_error(COMMAND, &error);
	if (c->size > 0)
		show_progress(c, true);
	if (c->failed > 0)
		code = fail(COMMAND, "%llu of %llu records were not delivered",
			    (unsigned long long)c->failed, c->line);
	mq_producer_free(c->producer);
	return code == -1 ? EXIT_OK : code;
}

/* What the flags ask for; code is what reading them came to, -1: go on. */
static int begin(struct console *c, int code)
{
	if (code == -1 && !c->topic)
		code = opt_mistake(c->set, "--topic is missing");
	if (code == -1)
		code = check_reader(c);
	if (code == -1 && c->reader_config)
		code = read_properties(c);
	for (int i = 0; code == -1 && i < c->properties.n; i++)
		code = set_property(c, c->properties.items[i]);
	if (code == -1)
		code = check_properties(c);
	return code == -1 ? run(c) : code;
}

int cmd_console_producer(int argc, char **argv)
{
	struct console c = {.key_separator = "\t",
			    .headers_delimiter = "\t",
			    .headers_separator = ",",
			    .header_key_separator = ":"};
	const struct opt opts[] = {
	    {"topic", OPT_STRING, &c.topic, "TOPIC", "the topic to send to", NULL},
	    {"bootstrap-server", OPT_STRING, &c.bootstrap, "HOST:PORT,...",
	     "brokers to begin with; localhost:9092 if left out", NULL},
	    {"broker-list", OPT_HIDDEN, &c.bootstrap, "HOST:PORT,...", "", NULL},
	    {"property", OPT_LIST, &c.properties, "KEY=VALUE",
	     "how lines are read: parse.key, key.separator, parse.headers, headers.delimiter, "
	     "headers.separator, headers.key.separator, ignore.error, null.marker",
	     NULL},
	    {"reader-config", OPT_STRING, &c.reader_config, "FILE",
	     "such properties, one a line; --property wins", NULL},
	    {"line-reader", OPT_STRING, &c.reader, "CLASS", "LineMessageReader, as in Kafka", NULL},
	    {"producer-property", OPT_LIST, &c.producer_properties, "KEY=VALUE",
	     "a key of the producer", NULL},
	    {"producer.config", OPT_STRING, &c.config, "FILE", "properties of the producer", NULL},
	    {"sync", OPT_FLAG, &c.sync, NULL, "wait for each record before the next", NULL},
	    {"compression-codec", OPT_MAYBE, &c.codec, "CODEC",
	     "none, gzip, snappy, lz4 or zstd; gzip if it is not said which", NULL},
	    {"batch-size", OPT_STRING, &c.batch_size, "BYTES", "batch.size", NULL},
	    {"timeout", OPT_STRING, &c.linger, "MS", "linger.ms; 1000 if left out", NULL},
	    {"request-required-acks", OPT_STRING, &c.acks, "ACKS", "acks: -1, 0 or 1", NULL},
	    {"request-timeout-ms", OPT_STRING, &c.request_timeout, "MS",
	     "request.timeout.ms; 1500 if left out", NULL},
	    {"message-send-max-retries", OPT_STRING, &c.retries, "N", "retries; 3 if left out",
	     NULL},
	    {"retry-backoff-ms", OPT_STRING, &c.retry_backoff, "MS", "retry.backoff.ms", NULL},
	    {"max-block-ms", OPT_STRING, &c.max_block, "MS", "max.block.ms", NULL},
	    {"max-memory-bytes", OPT_STRING, &c.memory, "BYTES", "buffer.memory", NULL},
	    {"max-partition-memory-bytes", OPT_STRING, &c.partition_memory, "BYTES",
	     "batch.size too, and it wins", NULL},
	    {"metadata-expiry-ms", OPT_STRING, &c.metadata_age, "MS", "metadata.max.age.ms", NULL},
	    {"socket-buffer-size", OPT_STRING, &c.socket_buffer, "BYTES", "send.buffer.bytes",
	     NULL},
	    {NULL, OPT_FLAG, NULL, NULL, NULL, NULL},
	};
	const struct opt_set set = {
	    COMMAND,
	    "--topic TOPIC [OPTION...]",
	    "Sends each line of standard input to a topic.",
	    "  echo hello | mq console-producer --topic first\n"
	    "  mq console-producer --topic first --property parse.key=true "
	    "--property key.separator=: < lines",
	    opts,
	    NULL,
	};
	int code = opt_parse(&set, argc, argv);

	c.set = &set;
	code = begin(&c, code);
	for (int i = 0; i < c.lines.n; i++)
		free(c.lines.items[i]);
	opt_list_free(&c.lines);
	opt_list_free(&c.properties);
	opt_list_free(&c.producer_properties);
	return code;
}
