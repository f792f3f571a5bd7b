/*
 * mq: Kafka's command line tools in one program. `mq topics` is
 * kafka-topics.sh, `mq server-start` is kafka-server-start.sh, and so on.
 * This file finds the subcommand and runs it.
 */
#include "mq.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct mq_command commands[] = {
    {"server-start", cmd_server_start, "run a broker"},
    {"server-stop", cmd_server_stop, "stop the broker of a data directory"},
    {"dump-log", cmd_dump_log, "print the contents of segment and index files"},
    {"topics", cmd_topics, "make, list, describe, change and delete topics"},
    {"configs", cmd_configs, "show and change configurations"},
    {"console-producer", cmd_console_producer, "send lines of standard input to a topic"},
    {"producer-perf-test", cmd_producer_perf_test, "measure how fast records can be sent"},
    {"console-consumer", cmd_console_consumer, "print the records of topics"},
    {"consumer-perf-test", cmd_consumer_perf_test, "measure how fast records can be read"},
    {"consumer-groups", cmd_consumer_groups, "groups, their members, offsets and lag"},
    {"get-offsets", cmd_get_offsets, "offsets of partitions"},
    {"transactions", cmd_transactions, "transactions, and ending those that hang"},
    {"delete-records", cmd_delete_records, "delete records before an offset"},
    {"metadata", cmd_metadata, "brokers, controller, topics and API versions"},
    {"doctor", cmd_doctor, "find out why a client cannot connect"},
    {NULL, NULL, NULL},
};

static const char *command_name(const void *names, int i)
{
	(void)names;
	return commands[i].name;
}

static void print_help(void)
{
	printf("Usage: mq COMMAND [OPTION...]\n"
	       "Kafka's command line tools, on libmq.\n"
	       "\n"
	       "Commands:\n");
	for (const struct mq_command *c = commands; c->name; c++)
		printf("  %-22s %s\n", c->name, c->summary);
	printf("\n"
	       "Options:\n"
	       "  --help                 this page; after a command, the command's options\n"
	       "  --version              the version of libmq\n"
	       "\n"
	       "Example:\n"
	       "  mq topics --create --topic first --bootstrap-server localhost:9092\n"
	       "\n"
	       "The manual is mq(1).\n");
}

static int run_command(int argc, char **argv)
{
	const char *name = argv[0], *nearest;

	for (const struct mq_command *c = commands; c->name; c++)
		if (strcmp(name, c->name) == 0)
			return c->run(argc, argv);
	nearest = opt_nearest(name, command_name, NULL);
	fprintf(stderr, "mq: there is no command \"%s\"", name);
	if (nearest)
		fprintf(stderr, "; did you mean \"%s\"?", nearest);
	fprintf(stderr, "\nTry: mq --help\n");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	int code;

	if (argc < 2) {
		fprintf(stderr, "mq: which command?\nTry: mq --help\n");
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
		printf("mq %s\n", mq_version());
		code = EXIT_OK;
	} else if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		   strcmp(argv[1], "help") == 0) {
		print_help();
		code = EXIT_OK;
	} else {
		code = run_command(argc - 1, argv + 1);
	}
	/* Output that did not reach the file or pipe is a failure, too. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == EXIT_OK) {
		fprintf(stderr, "mq: writing the output failed: %s\n", strerror(errno));
		code = EXIT_FAILED;
	}
	return code;
}
