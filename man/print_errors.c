/* Prints mq_errors(7) from the table of errors, so that the page cannot differ
 * from what the library says. man/mq_errors.7 is its output. */
#include <stdio.h>
#include <string.h>

#include <mq/error.h>

#define CODE_MIN (-300)
#define CODE_MAX 300

static const char head[] =
    ".\\\" Printed by man/print_errors from the table of errors; do not edit.\n"
    ".Dd November 23, 2026\n"
    ".Dt MQ_ERRORS 7\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm mq_errors\n"
    ".Nd errors of libmq\n"
    ".Sh SYNOPSIS\n"
    ".In mq/error.h\n"
    ".Sh DESCRIPTION\n"
    "Functions that can fail return an\n"
    ".Vt mq_err ,\n"
    "or NULL and leave the code in an\n"
    ".Vt mq_error ,\n"
    "which also has the cause in words: which file, which broker, which key.\n"
    "A call that fails has taken nothing, and its outputs are as they were.\n"
    ".Pp\n"
    "Codes from \\-1 up are Kafka's own, as brokers answer them; those from \\-200 down are the\n"
    "library's.\n"
    ".Xr mq_err_name 3\n"
    "and\n"
    ".Xr mq_err_text 3\n"
    "give the name and a sentence.\n"
    ".Ss What to do\n"
    ".Bl -tag -width Ds\n"
    ".It Retriable errors\n"
    "go away by themselves, or may:\n"
    ".Xr mq_err_retriable 3 .\n"
    "Producer and consumer repeat them as long as their timeouts allow; a program sees one when\n"
    "that was not long enough.\n"
    ".It Dv MQ_E_ARG , Dv MQ_E_STATE , Dv MQ_E_CONFIG\n"
    "are mistakes in the program or its configuration.\n"
    "The text says which.\n"
    ".It Dv MQ_E_TIMED_OUT\n"
    "has the last thing that was in the way in its text.\n"
    "What was asked for may have happened nevertheless.\n"
    ".It Dv MQ_E_DNS , Dv MQ_E_CONNECT , Dv MQ_E_TLS\n"
    "are about the way to a broker;\n"
    ".Xr mq-doctor 1\n"
    "finds out more.\n"
    ".It Dv MQ_E_KAFKA_STORAGE_ERROR , Dv MQ_E_NOSPC\n"
    "are of a disk that is full, and then pass, or that has failed; see\n"
    ".Xr mq-broker 8 .\n"
    ".It Errors of transactions\n"
    "have in\n"
    ".Fa kind\n"
    "what to do: repeat the call, abort, or make a new producer; see\n"
    ".Xr mq_producer_init_transactions 3 .\n"
    ".It Dv MQ_E_UNKNOWN_TOPIC_OR_PARTITION\n"
    "is retriable as a topic that was just made is not known everywhere at once; a name that is\n"
    "spelt wrong looks the same.\n"
    ".El\n";

static const char tail[] = ".Sh EXAMPLES\n"
			   ".Bd -literal -offset indent\n"
			   "mq_error error;\n"
			   "mq_err err = mq_producer_flush(producer, 10000, &error);\n"
			   "\n"
			   "if (err && mq_err_retriable(err))\n"
			   "\twarnx(\"not yet: %s\", error.text);\n"
			   "else if (err)\n"
			   "\terrx(1, \"%s: %s\", mq_err_name(err), error.text);\n"
			   ".Ed\n"
			   ".Sh SEE ALSO\n"
			   ".Xr mq-doctor 1 ,\n"
			   ".Xr mq_err_name 3 ,\n"
			   ".Xr mq_err_retriable 3 ,\n"
			   ".Xr mq_err_text 3 ,\n"
			   ".Xr mq 7 ,\n"
			   ".Xr mq_delivery 7 ,\n"
			   ".Xr mq-broker 8\n";

static void put_error(mq_err code)
{
	const char *name = mq_err_name(code);

	if (code == MQ_OK || strcmp(name, "UNKNOWN") == 0)
		return;
	printf(".It Dv MQ_E_%s Pq %s%d%s\n%s.\n", name, code < 0 ? "\\" : "", code,
	       mq_err_retriable(code) ? ", retriable" : "", mq_err_text(code));
}

int main(void)
{
	fputs(head, stdout);
	printf(".Ss The library's own\n.Bl -tag -width Ds\n");
	for (int code = -2; code >= CODE_MIN; code--)
		put_error((mq_err)code);
	printf(".El\n.Ss Kafka's\n.Bl -tag -width Ds\n");
	for (int code = -1; code <= CODE_MAX; code++)
		put_error((mq_err)code);
	printf(".El\n");
	fputs(tail, stdout);
	return 0;
}
