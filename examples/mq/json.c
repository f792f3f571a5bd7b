/* JSON of what records hold. */
#include "json.h"

#include <stdbool.h>
#include <stdint.h>

/* The length of the UTF-8 character at p, of which there are n bytes; 0: it is none.
 * Neither more bytes than needed, nor surrogates, nor what is above U+10FFFF. */
static size_t character(const uint8_t *p, size_t n)
{
	size_t size = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint8_t least = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	uint8_t most = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;

	if (p[0] > 0xf4 || size > n)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if (p[i] < least || p[i] > most)
			return 0;
		least = 0x80;
		most = 0xbf;
	}
	return size;
}

static bool is_utf8(const uint8_t *p, size_t n)
{
	size_t size;

	for (; n > 0; p += size, n -= size) {
		size = character(p, n);
		if (size == 0)
			return false;
	}
	return true;
}

static void put_escaped(FILE *out, uint8_t c)
{
	static const char letters[] = "btn\0fr"; /* of 8 to 13 */

	if (c == '"' || c == '\\')
		fprintf(out, "\\%c", c);
	else if (c >= 8 && c <= 13 && letters[c - 8])
		fprintf(out, "\\%c", letters[c - 8]);
	else
		fprintf(out, "\\u%04x", c);
}

static void put_string(FILE *out, const uint8_t *p, size_t n)
{
	size_t begun = 0; /* of what can be written as it is */

	fputc('"', out);
	for (size_t i = 0; i < n; i++) {
		if (p[i] >= 0x20 && p[i] != 0x7f && p[i] != '"' && p[i] != '\\')
			continue;
		fwrite(p + begun, 1, i - begun, out);
		put_escaped(out, p[i]);
		begun = i + 1;
	}
	fwrite(p + begun, 1, n - begun, out);
	fputc('"', out);
}

void json_put_bytes(FILE *out, mq_bytes bytes)
{
	if (!bytes.data) {
		fputs("null", out);
	} else if (is_utf8(bytes.data, bytes.size)) {
		put_string(out, bytes.data, bytes.size);
	} else {
		fputs("{\"base64\":", out);
		json_put_base64(out, bytes);
		fputc('}', out);
	}
}

void json_put_text(FILE *out, const char *text)
{
	json_put_bytes(out, mq_str(text));
}

void json_put_base64(FILE *out, mq_bytes b)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = b.data;
	size_t i;

	fputc('"', out);
	for (i = 0; i < b.size; i += 3) {
		size_t n = b.size - i < 3 ? b.size - i : 3;
		uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (n > 2 ? p[i + 2] : 0);

		fputc(digits[v >> 18], out);
		fputc(digits[v >> 12 & 63], out);
		fputc(n > 1 ? digits[v >> 6 & 63] : '=', out);
		fputc(n > 2 ? digits[v & 63] : '=', out);
	}
	fputc('"', out);
}
