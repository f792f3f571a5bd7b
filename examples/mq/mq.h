/*
 * What the subcommands of mq share: the table of commands, the one option
 * parser, and how failures are told. Everything else they need is in the
 * public headers.
 */
#ifndef MQ_EXAMPLES_MQ_H
#define MQ_EXAMPLES_MQ_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/mq.h>

/* Exit codes: as promised in mq(1). */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct mq_command {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name; an exit code */
	const char *summary;
};

int cmd_server_start(int argc, char **argv);
int cmd_server_stop(int argc, char **argv);
int cmd_topics(int argc, char **argv);
int cmd_configs(int argc, char **argv);
int cmd_console_producer(int argc, char **argv);
int cmd_producer_perf_test(int argc, char **argv);
int cmd_console_consumer(int argc, char **argv);
int cmd_consumer_groups(int argc, char **argv);
int cmd_transactions(int argc, char **argv);
int cmd_consumer_perf_test(int argc, char **argv);
int cmd_get_offsets(int argc, char **argv);
int cmd_delete_records(int argc, char **argv);
int cmd_metadata(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_dump_log(int argc, char **argv);

/* --- options --------------------------------------------------------------- */

/* Every value of an option or argument that may be given several times. */
struct opt_list {
	char **items; /* borrowed from argv */
	int n;
};

enum opt_kind {
	OPT_FLAG,   /* bool */
	OPT_STRING, /* const char * */
	OPT_INT,    /* int32_t */
	OPT_LONG,   /* int64_t */
	OPT_LIST,   /* struct opt_list */
	OPT_HIDDEN, /* const char *: another spelling of an option, not in the help */
	OPT_MAYBE,  /* const char *: "" if the option stands without a value */
};

/*
 * One option. "--name VALUE" and "--name=VALUE" are the same; a name of one
 * letter is also taken with one dash ("-h"). The value keeps what it was set
 * to before the parse unless the option is given.
 */
struct opt {
	const char *name;
	enum opt_kind kind;
	void *value;     /* points to the type that kind says */
	const char *arg; /* what the help calls the value; NULL for a flag */
	const char *help;
	bool *given; /* set to true if the option is given; may be NULL */
};

struct opt_set {
	const char *command;    /* "topics" */
	const char *synopsis;   /* what follows "mq topics " in the usage line */
	const char *about;      /* one or two sentences */
	const char *example;    /* one or more complete command lines, indented by two blanks */
	const struct opt *opts; /* ends with a NULL name */
	struct opt_list *rest;  /* arguments without dashes go here; NULL: none are allowed */
};

/*
 * Parses argv[1...]. Returns -1 to go on. Otherwise the command returns the
 * result at once: EXIT_OK after --help (printed to stdout), EXIT_USAGE after a
 * mistake (told on stderr, with the nearest option that exists).
 */
int opt_parse(const struct opt_set *set, int argc, char **argv);

/* Frees what a parse has put into a list; harmless on an empty one. */
void opt_list_free(struct opt_list *list);

/* Tells a usage mistake on stderr, and where the help is; returns EXIT_USAGE. */
int opt_mistake(const struct opt_set *set, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The nearest of some names to a mistyped one, or NULL if none is near. next
 * gives one name after the other for 0, 1, ... and NULL at the end. */
const char *opt_nearest(const char *typed, const char *(*next)(const void *names, int i),
			const void *names);

/* --- what is told ---------------------------------------------------------- */

/* One line "mq COMMAND: ..." on stderr; returns EXIT_FAILED. */
int fail(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same for an error of the library: its cause in words and its name. */
int fail_error(const char *command, const mq_error *error);

#endif
