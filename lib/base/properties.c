/*
 * Java's properties files: one pair a line, the key ended by '=', ':' or white
 * space; '#' and '!' begin comments; a backslash escapes the next letter or
 * joins the next line. Bytes are taken as they are (UTF-8), \uXXXX is put in
 * as UTF-8.
 */
#include "base/conf.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"

#define PART_MAX (1024 * 1024)

struct reader {
	const char *p, *end;
	unsigned line;
	mq_error *error;
	struct mq_buf key, value;
};

enum piece {
	PIECE_PLAIN,   /* a letter as it stands */
	PIECE_ESCAPED, /* text out of an escape */
	PIECE_END,     /* of the line */
	PIECE_BAD,
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f';
}

static void skip_blanks(struct reader *r)
{
	while (r->p < r->end && is_blank(*r->p))
		r->p++;
}

/* Whether a line ended here; steps over its end. */
static bool line_end(struct reader *r)
{
	if (r->p == r->end || (*r->p != '\n' && *r->p != '\r'))
		return false;
	if (*r->p == '\r' && r->end - r->p > 1 && r->p[1] == '\n')
		r->p++;
	r->p++;
	r->line++;
	return true;
}

/* Four hexadecimal digits; -1 when they are not there. */
static int32_t read_hex4(struct reader *r)
{
	int32_t v = 0;

	if (r->end - r->p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = *r->p++;

		if (c >= '0' && c <= '9')
			v = v * 16 + (c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v * 16 + ((c | 32) - 'a' + 10);
		else
			return -1;
	}
	return v;
}

/* What follows \u: a code point, of two such escapes if it is a large one. */
static int32_t read_code_point(struct reader *r)
{
	int32_t v = read_hex4(r), low;

	if (v < 0xd800 || v > 0xdfff)
		return v > 0 ? v : -1;
	if (v > 0xdbff || r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
		return -1;
	r->p += 2;
	low = read_hex4(r);
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	return 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
}

static void put_utf8(int32_t v, char *out, size_t *n)
{
	if (v < 0x80) {
		out[(*n)++] = (char)v;
		return;
	}
	if (v < 0x800) {
		out[(*n)++] = (char)(0xc0 | v >> 6);
	} else {
		if (v < 0x10000) {
			out[(*n)++] = (char)(0xe0 | v >> 12);
		} else {
			out[(*n)++] = (char)(0xf0 | v >> 18);
			out[(*n)++] = (char)(0x80 | (v >> 12 & 0x3f));
		}
		out[(*n)++] = (char)(0x80 | (v >> 6 & 0x3f));
	}
	out[(*n)++] = (char)(0x80 | (v & 0x3f));
}

static enum piece read_escape(struct reader *r, char *out, size_t *n)
{
	static const char letters[] = "tnrf", meanings[] = "\t\n\r\f";
	const char *found;
	char c = *r->p++;

	if (c == 'u') {
		int32_t v = read_code_point(r);

		if (v < 0)
			return PIECE_BAD;
		put_utf8(v, out, n);
		return PIECE_ESCAPED;
	}
	found = memchr(letters, c, 4);
	out[(*n)++] = found ? meanings[found - letters] : c;
	return PIECE_ESCAPED;
}

/* The next piece of a line that may go on over several in the file. */
static enum piece next_piece(struct reader *r, char out[4], size_t *n)
{
	*n = 0;
	while (r->p < r->end) {
		if (line_end(r))
			return PIECE_END;
		if (*r->p == '\0')
			return PIECE_BAD;
		if (*r->p != '\\') {
			out[(*n)++] = *r->p++;
			return PIECE_PLAIN;
		}
		r->p++;
		if (r->p == r->end)
			return PIECE_END;
		if (!line_end(r))
			return *r->p == '\0' ? PIECE_BAD : read_escape(r, out, n);
		skip_blanks(r);
	}
	return PIECE_END;
}

enum state { IN_KEY, BEFORE_VALUE, AFTER_SIGN, IN_VALUE };

/* Where a piece belongs, given what came before it; true when it is text. */
static bool step(enum state *state, enum piece piece, char c)
{
	bool blank = piece == PIECE_PLAIN && is_blank(c);
	bool sign = piece == PIECE_PLAIN && (c == '=' || c == ':');

	switch (*state) {
	case IN_KEY:
		if (blank || sign)
			*state = sign ? AFTER_SIGN : BEFORE_VALUE;
		return !blank && !sign;
	case BEFORE_VALUE:
		if (sign)
			*state = AFTER_SIGN;
		else if (!blank)
			*state = IN_VALUE;
		return *state == IN_VALUE;
	case AFTER_SIGN:
		if (!blank)
			*state = IN_VALUE;
		return !blank;
	default:
		return true;
	}
}

/* Whether both buffers took all of it: they fail at their limit, and before
 * that only for want of memory. */
static mq_err check_room(const struct reader *r, unsigned first_line)
{
	size_t size = MQ_MAX(r->key.size, r->value.size);

	if (!r->key.failed && !r->value.failed)
		return MQ_OK;
	if (size < PART_MAX - 4)
		return mq_fail(r->error, MQ_E_NOMEM, "out of memory");
	return mq_fail(r->error, MQ_E_CONFIG, "line %u: longer than %d bytes", first_line,
		       PART_MAX);
}

static mq_err read_pair(struct reader *r, unsigned first_line)
{
	enum state state = IN_KEY;
	char text[4];
	size_t n;

	r->key.size = r->value.size = 0;
	for (;;) {
		enum piece piece = next_piece(r, text, &n);

		if (piece == PIECE_END)
			break;
		if (piece == PIECE_BAD)
			return mq_fail(r->error, MQ_E_CONFIG,
				       "line %u: malformed escape or NUL byte", r->line);
		if (step(&state, piece, text[0]))
			mq_buf_put_bytes(state == IN_KEY ? &r->key : &r->value, text, n);
	}
	mq_buf_put_u8(&r->key, 0);
	mq_buf_put_u8(&r->value, 0);
	return check_room(r, first_line);
}

mq_err mq_properties_read(const char *text, size_t size, mq_properties_cb *cb, void *arg,
			  mq_error *error)
{
	struct reader r = {text, text + size, 1, error, {0}, {0}};
	mq_err err = MQ_OK;

	mq_buf_init(&r.key, PART_MAX);
	mq_buf_init(&r.value, PART_MAX);
	while (!err && r.p < r.end) {
		unsigned line;

		skip_blanks(&r);
		if (r.p == r.end || line_end(&r))
			continue;
		line = r.line;
		if (*r.p == '#' || *r.p == '!') {
			while (r.p < r.end && !line_end(&r))
				r.p++;
			continue;
		}
		err = read_pair(&r, line);
		if (!err)
			err = cb(arg, (const char *)r.key.data, (const char *)r.value.data, line,
				 error);
	}
	mq_buf_deinit(&r.key);
	mq_buf_deinit(&r.value);
	return err;
}
