/* Points and lengths of time as ISO 8601 writes them. */
#define _GNU_SOURCE /* timegm */
#include "iso_time.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

/* Exactly n digits between min and max; moves *at on. */
static bool digits(const char **at, int n, int min, int max, int *value)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (!isdigit((unsigned char)(*at)[i]))
			return false;
		v = 10 * v + (*at)[i] - '0';
	}
	*at += n;
	*value = v;
	return v >= min && v <= max;
}

static bool literal(const char **at, char c)
{
	if (**at != c)
		return false;
	++*at;
	return true;
}

/* ".678": thousandths, of which there may be fewer than three. */
static bool fraction(const char **at, int *ms)
{
	int unit = 100;

	*ms = 0;
	if (!literal(at, '.'))
		return true;
	if (!isdigit((unsigned char)**at))
		return false;
	for (; isdigit((unsigned char)**at); ++*at, unit /= 10)
		*ms += (**at - '0') * unit;
	return true;
}

/* What follows the time: how many minutes it is ahead of UTC. */
static bool zone(const char **at, int *minutes)
{
	int sign = **at == '-' ? -1 : 1, hour = 0, minute = 0;

	*minutes = 0;
	if (**at == '\0' || literal(at, 'Z'))
		return true;
	if (!literal(at, '+') && !literal(at, '-'))
		return false;
	if (!digits(at, 2, 0, 23, &hour))
		return false;
	if (**at) {
		literal(at, ':');
		if (!digits(at, 2, 0, 59, &minute))
			return false;
	}
	*minutes = sign * (60 * hour + minute);
	return true;
}

bool iso_time(const char *text, int64_t *ms)
{
	struct tm tm = {0}, same;
	int year, month, thousandths, ahead;
	time_t seconds;

	if (!digits(&text, 4, 0, 9999, &year) || !literal(&text, '-') ||
	    !digits(&text, 2, 1, 12, &month) || !literal(&text, '-') ||
	    !digits(&text, 2, 1, 31, &tm.tm_mday) || !literal(&text, 'T') ||
	    !digits(&text, 2, 0, 23, &tm.tm_hour) || !literal(&text, ':') ||
	    !digits(&text, 2, 0, 59, &tm.tm_min) || !literal(&text, ':') ||
	    !digits(&text, 2, 0, 59, &tm.tm_sec) || !fraction(&text, &thousandths) ||
	    !zone(&text, &ahead) || *text)
		return false;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	same = tm;
	seconds = timegm(&same);
	if (same.tm_mday != tm.tm_mday)
		return false; /* there is no such day */
	*ms = ((int64_t)seconds - 60 * (int64_t)ahead) * 1000 + thousandths;
	return true;
}

/* One part such as "-3H" or "4.5S"; a fraction only of seconds. */
static bool part(const char **at, char *unit, int64_t *ms)
{
	bool minus = **at == '-';
	int64_t n = 0;
	int thousandths = 0, count = 0;

	if (!literal(at, '-'))
		literal(at, '+');
	for (; isdigit((unsigned char)**at); ++*at, count++) {
		if (count >= 12)
			return false;
		n = 10 * n + **at - '0';
	}
	if (count == 0)
		return false;
	if (**at == '.' && !fraction(at, &thousandths))
		return false;
	*unit = (char)toupper((unsigned char)**at);
	if (**at)
		++*at;
	*ms = 1000 * n + thousandths;
	if (minus)
		*ms = -*ms;
	return thousandths == 0 || *unit == 'S';
}

bool iso_duration(const char *text, int64_t *ms)
{
	static const struct {
		char unit;
		int seconds;
	} units[] = {{'D', 86400}, {'H', 3600}, {'M', 60}, {'S', 1}};
	bool minus = *text == '-', time = false;
	int64_t sum = 0, value;
	size_t u = 0;
	char unit;

	if (!literal(&text, '-'))
		literal(&text, '+');
	if (toupper((unsigned char)*text++) != 'P' || !*text)
		return false;
	while (*text) {
		if (toupper((unsigned char)*text) == 'T') {
			if (time || !*++text)
				return false;
			time = true;
			u = u == 0 ? 1 : u;
		}
		if (!part(&text, &unit, &value))
			return false;
		while (u < 4 && units[u].unit != unit)
			u++;
		if (u == 4 || (unit == 'D') == time)
			return false;
		if (__builtin_mul_overflow(value, (int64_t)units[u++].seconds, &value) ||
		    __builtin_add_overflow(sum, value, &sum))
			return false;
	}
	*ms = minus ? -sum : sum;
	return true;
}
