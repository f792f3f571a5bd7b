/*
 * The option parser of every subcommand: long options as Kafka's scripts take
 * them, help printed from the same table, and a hint for a mistyped one.
 */
#include "mq.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLUMN  34 /* where the texts of the help begin */
#define HELP_WIDTH   98
#define NAME_MAX_LEN 64 /* longest name opt_nearest() looks at */

/* --- telling --------------------------------------------------------------- */

int fail(const char *command, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "mq %s: ", command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return EXIT_FAILED;
}

int fail_error(const char *command, const mq_error *error)
{
	fail(command, "%s (%s)", error->text[0] ? error->text : mq_err_text(error->code),
	     mq_err_name(error->code));
	if (strstr(error->text, "cannot connect") || strstr(error->text, "cannot resolve"))
		fprintf(stderr, "Try: mq doctor, with the same --bootstrap-server\n");
	return EXIT_FAILED;
}

int opt_mistake(const struct opt_set *set, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "mq %s: ", set->command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry: mq %s --help\n", set->command);
	return EXIT_USAGE;
}

/* Prints text from the current column on, wrapped at blanks. */
static void print_wrapped(const char *text, int indent)
{
	int column = indent;

	while (*text) {
		int word = (int)strcspn(text, " ");

		if (column > indent && column + 1 + word > HELP_WIDTH) {
			printf("\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			putchar(' ');
			column++;
		}
		printf("%.*s", word, text);
		column += word;
		text += word;
		text += *text == ' ';
	}
	putchar('\n');
}

static void print_option(const struct opt *opt)
{
	int n = printf("  --%s%s%s", opt->name, opt->arg ? " " : "", opt->arg ? opt->arg : "");

	if (n >= HELP_COLUMN) {
		putchar('\n');
		n = 0;
	}
	printf("%*s", HELP_COLUMN - n, "");
	print_wrapped(opt->help, HELP_COLUMN);
}

static void print_help(const struct opt_set *set)
{
	static const struct opt help = {.name = "help", .help = "this page"};

	printf("Usage: mq %s %s\n", set->command, set->synopsis);
	print_wrapped(set->about, 0);
	printf("\nOptions:\n");
	for (const struct opt *opt = set->opts; opt->name; opt++)
		if (opt->kind != OPT_HIDDEN)
			print_option(opt);
	print_option(&help);
	printf("\nExample:\n%s\n\nThe manual is mq-%s(1).\n", set->example, set->command);
}

/* --- the nearest name ------------------------------------------------------ */

/* Insertions, deletions, replacements and swaps of neighbours that make b of a. */
static int edit_distance(const char *a, const char *b)
{
	int rows[3][NAME_MAX_LEN + 1];
	int n = (int)strlen(a), m = (int)strlen(b);

	if (n > NAME_MAX_LEN || m > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (int j = 0; j <= m; j++)
		rows[0][j] = j;
	for (int i = 1; i <= n; i++) {
		int *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (int j = 1; j <= m; j++) {
			int best = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    above2[j - 2] + 1 < best)
				best = above2[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[n % 3][m];
}

const char *opt_nearest(const char *typed, const char *(*next)(const void *names, int i),
			const void *names)
{
	const char *nearest = NULL, *name;
	int best = (int)strlen(typed) / 3 + 1;

	for (int i = 0; (name = next(names, i)); i++) {
		int d = edit_distance(typed, name);

		if (d <= best && (!nearest || d < best)) {
			best = d;
			nearest = name;
		}
	}
	return nearest;
}

/* --- parsing --------------------------------------------------------------- */

void opt_list_free(struct opt_list *list)
{
	free(list->items);
	list->items = NULL;
	list->n = 0;
}

static bool list_add(struct opt_list *list, char *item)
{
	char **items = realloc(list->items, ((size_t)list->n + 1) * sizeof(*items));

	if (!items)
		return false;
	list->items = items;
	list->items[list->n++] = item;
	return true;
}

static bool parse_number(const char *text, int64_t min, int64_t max, int64_t *value)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno || end == text || *end || v < min || v > max)
		return false;
	*value = v;
	return true;
}

static int store(const struct opt_set *set, const struct opt *opt, const char *text)
{
	int64_t v;

	if (opt->given)
		*opt->given = true;
	switch (opt->kind) {
	case OPT_FLAG:
		*(bool *)opt->value = true;
		break;
	case OPT_STRING:
	case OPT_HIDDEN:
	case OPT_MAYBE:
		*(const char **)opt->value = text;
		break;
	case OPT_INT:
		if (!parse_number(text, INT32_MIN, INT32_MAX, &v))
			return opt_mistake(set, "--%s wants a number, not \"%s\"", opt->name, text);
		*(int32_t *)opt->value = (int32_t)v;
		break;
	case OPT_LONG:
		if (!parse_number(text, INT64_MIN, INT64_MAX, &v))
			return opt_mistake(set, "--%s wants a number, not \"%s\"", opt->name, text);
		*(int64_t *)opt->value = v;
		break;
	case OPT_LIST:
		if (!list_add(opt->value, (char *)(uintptr_t)text))
			return fail(set->command, "out of memory");
		break;
	}
	return -1;
}

static const char *option_name(const void *names, int i)
{
	const struct opt *opts = names;

	return opts[i].name;
}

static int unknown(const struct opt_set *set, const char *name, int name_len)
{
	char typed[NAME_MAX_LEN + 1];
	const char *nearest;

	snprintf(typed, sizeof(typed), "%.*s", name_len, name);
	nearest = opt_nearest(typed, option_name, set->opts);
	if (nearest)
		return opt_mistake(set, "there is no option --%.*s; did you mean --%s?", name_len,
				   name, nearest);
	return opt_mistake(set, "there is no option --%.*s", name_len, name);
}

/* Takes argv[*at], which begins with a dash, and its value; moves *at on. */
static int parse_option(const struct opt_set *set, int argc, char **argv, int *at)
{
	char *arg = argv[*at];
	char *name = arg + (arg[1] == '-' ? 2 : 1);
	char *eq = strchr(name, '=');
	int len = eq ? (int)(eq - name) : (int)strlen(name);

	++*at;
	if (!eq && (strcmp(name, "help") == 0 || strcmp(arg, "-h") == 0)) {
		print_help(set);
		return EXIT_OK;
	}
	for (const struct opt *opt = set->opts; opt->name; opt++) {
		if ((int)strlen(opt->name) != len || memcmp(opt->name, name, (size_t)len) != 0)
			continue;
		if (opt->kind == OPT_FLAG) {
			if (eq)
				return opt_mistake(set, "--%s takes no value", opt->name);
			return store(set, opt, NULL);
		}
		if (eq)
			return store(set, opt, eq + 1);
		if (opt->kind == OPT_MAYBE && (*at >= argc || argv[*at][0] == '-'))
			return store(set, opt, "");
		if (*at >= argc)
			return opt_mistake(set, "--%s wants a value: %s", opt->name,
					   opt->arg ? opt->arg : "VALUE");
		return store(set, opt, argv[(*at)++]);
	}
	return unknown(set, name, len);
}

int opt_parse(const struct opt_set *set, int argc, char **argv)
{
	for (int at = 1; at < argc;) {
		bool only_rest = strcmp(argv[at], "--") == 0;
		int code;

		if (!only_rest && argv[at][0] == '-' && argv[at][1]) {
			code = parse_option(set, argc, argv, &at);
			if (code != -1)
				return code;
			continue;
		}
		at += only_rest;
		for (int first = at; at < argc && (only_rest || at == first); at++) {
			if (!set->rest)
				return opt_mistake(set, "what is \"%s\"?", argv[at]);
			if (!list_add(set->rest, argv[at]))
				return fail(set->command, "out of memory");
		}
	}
	return -1;
}
