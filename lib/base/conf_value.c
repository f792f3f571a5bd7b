/* Values of configuration keys as text: checking and reading them. */
#include "base/conf_value.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"

/* Digits behind which a number cannot fit any type. */
#define EXPONENT_MAX 400

/* How much of a wrong value an error repeats. */
#define SHOWN_MAX 80

static bool is_space(char c)
{
	return (unsigned char)c <= ' ';
}

static mq_bytes trim(const char *p, size_t n)
{
	while (n > 0 && is_space(p[0])) {
		p++;
		n--;
	}
	while (n > 0 && is_space(p[n - 1]))
		n--;
	return mq_mem(p, n);
}

mq_bytes mq_conf_trim(const char *value)
{
	return trim(value, strlen(value));
}

bool mq_conf_list_next(const char **at, mq_bytes *item)
{
	while (**at) {
		size_t n = strcspn(*at, ",");
		mq_bytes element = trim(*at, n);

		*at += n + ((*at)[n] == ',');
		if (element.size > 0) {
			*item = element;
			return true;
		}
	}
	return false;
}

static bool is_word(mq_bytes text, const char *word, bool any_case)
{
	size_t n = strlen(word);

	if (text.size != n)
		return false;
	return any_case ? strncasecmp(text.data, word, n) == 0 : memcmp(text.data, word, n) == 0;
}

bool mq_conf_parse_bool(mq_bytes text, bool *out)
{
	bool yes = is_word(text, "true", true);

	if (!yes && !is_word(text, "false", true))
		return false;
	*out = yes;
	return true;
}

bool mq_conf_parse_long(mq_bytes text, int64_t *out)
{
	const char *p = text.data, *end = p + text.size;
	bool negative = p < end && *p == '-';
	int64_t v = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	if (p == end)
		return false;
	for (; p < end; p++) {
		int digit = *p - '0';

		if (digit < 0 || digit > 9 || __builtin_mul_overflow(v, (int64_t)10, &v) ||
		    __builtin_sub_overflow(v, (int64_t)digit, &v))
			return false;
	}
	/* It was summed up below zero, where one more number fits. */
	if (!negative && v == INT64_MIN)
		return false;
	*out = negative ? v : -v;
	return true;
}

/* Digits, added to *v; returns how many. */
static int read_digits(const char **p, const char *end, long double *v)
{
	int n = 0;

	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++, n++)
		*v = *v * 10 + (**p - '0');
	return n;
}

static bool read_exponent(const char *p, const char *end, int64_t *exponent)
{
	*exponent = 0;
	if (p == end)
		return true;
	if (*p != 'e' && *p != 'E')
		return false;
	return mq_conf_parse_long(mq_mem(p + 1, (size_t)(end - p - 1)), exponent) &&
	       *exponent >= -EXPONENT_MAX && *exponent <= EXPONENT_MAX;
}

bool mq_conf_parse_double(mq_bytes text, double *out)
{
	const char *p = text.data, *end = p + text.size;
	bool negative = p < end && *p == '-';
	int whole, fraction = 0;
	long double v = 0;
	int64_t exponent;

	if (text.size > EXPONENT_MAX)
		return false;
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	whole = read_digits(&p, end, &v);
	if (p < end && *p == '.') {
		p++;
		fraction = read_digits(&p, end, &v);
	}
	if (whole + fraction == 0 || !read_exponent(p, end, &exponent))
		return false;
	for (exponent -= fraction; exponent > 0; exponent--)
		v *= 10;
	for (; exponent < 0; exponent++)
		v /= 10;
	*out = (double)(negative ? -v : v);
	return true;
}

static bool is_allowed(const char *allowed, mq_bytes text)
{
	bool any_case = *allowed == '~';

	for (const char *p = allowed + any_case; *p;) {
		size_t n = strcspn(p, "|");

		if (text.size == n &&
		    (any_case ? strncasecmp(text.data, p, n) : memcmp(text.data, p, n)) == 0)
			return true;
		p += n + (p[n] == '|');
	}
	return false;
}

static const char *type_name(uint8_t type)
{
	switch (type) {
	case MQ_CONF_BOOL:
		return "true or false";
	case MQ_CONF_SHORT:
		return "an integer of 16 bits";
	case MQ_CONF_INT:
		return "an integer of 32 bits";
	case MQ_CONF_LONG:
		return "an integer of 64 bits";
	default:
		return "a number";
	}
}

static mq_err fail(const char *name, mq_bytes value, mq_error *error, const char *what,
		   const char *detail)
{
	return mq_fail(error, MQ_E_CONFIG, "%s: \"%.*s\" is not %s%s", name,
		       (int)(value.size < SHOWN_MAX ? value.size : SHOWN_MAX),
		       (const char *)value.data, what, detail);
}

/* The value as a number that fits the type, for the range. */
static bool parse_number(uint8_t type, mq_bytes text, double *out)
{
	int64_t v;
	bool yes;

	if (type == MQ_CONF_DOUBLE)
		return mq_conf_parse_double(text, out);
	if (type == MQ_CONF_BOOL) {
		*out = 0;
		return mq_conf_parse_bool(text, &yes);
	}
	if (!mq_conf_parse_long(text, &v))
		return false;
	*out = (double)v;
	if (type == MQ_CONF_SHORT)
		return v >= SHRT_MIN && v <= SHRT_MAX;
	return type == MQ_CONF_LONG || (v >= INT_MIN && v <= INT_MAX);
}

static mq_err check_number(const struct mq_conf_key *key, const char *name, mq_bytes value,
			   mq_error *error)
{
	double v;

	if (!parse_number(key->type, value, &v))
		return fail(name, value, error, type_name(key->type), "");
	if (key->type == MQ_CONF_BOOL)
		return MQ_OK;
	if (v < key->min)
		return mq_fail(error, MQ_E_CONFIG, "%s: %.*s is less than %.15g", name,
			       (int)value.size, (const char *)value.data, key->min);
	if (v > key->max)
		return mq_fail(error, MQ_E_CONFIG, "%s: %.*s is more than %.15g", name,
			       (int)value.size, (const char *)value.data, key->max);
	if (key->allowed && !is_allowed(key->allowed, value))
		return fail(name, value, error, "one of ", key->allowed);
	return MQ_OK;
}

mq_err mq_conf_value_check(const struct mq_conf_key *key, const char *name, mq_bytes value,
			   mq_error *error)
{
	const char *p = value.data, *end = p + value.size;

	switch (key->type) {
	case MQ_CONF_STRING:
		if (key->allowed && !is_allowed(key->allowed, value))
			return fail(name, value, error, "one of ",
				    key->allowed + (*key->allowed == '~'));
		return MQ_OK;
	case MQ_CONF_LIST:
		while (key->allowed && p < end) {
			const char *comma = memchr(p, ',', (size_t)(end - p));
			mq_bytes item = trim(p, (size_t)((comma ? comma : end) - p));

			if (item.size > 0 && !is_allowed(key->allowed, item))
				return fail(name, item, error, "one of ", key->allowed);
			p = comma ? comma + 1 : end;
		}
		return MQ_OK;
	case MQ_CONF_CLASS:
	case MQ_CONF_PASSWORD:
		return MQ_OK;
	default:
		return check_number(key, name, value, error);
	}
}
