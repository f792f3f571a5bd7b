/*
 * The walker: one decoder, encoder and printer for every message, driven by
 * the tables of protocol/field.h.
 *
 * Happy path of a broker: mq_request_header_decode (frame.h), mq_api_find
 * (api.h), mq_message_decode into an arena, and for the answer
 * mq_message_init, mq_frame_begin, mq_message_encode, mq_frame_end.
 *
 * Nothing here is copied that need not be: decoded strings and records point
 * into the input, encoded records stay where they are and become segments of
 * the output.
 */
#ifndef MQ_PROTOCOL_WIRE_H
#define MQ_PROTOCOL_WIRE_H

#include <mq/error.h>

#include "base/arena.h"
#include "base/buf.h"
#include "protocol/field.h"

/* A string's length on the wire is an int16, and compact ones keep to it. */
#define MQ_STRING_MAX INT16_MAX

/* What decoding takes from the arena is at most this many bytes for each byte
 * of input: a peer cannot make a small request into much memory. The widest
 * struct per byte of wire form stays below it (a test computes it). */
#define MQ_DECODE_GROWTH_MAX 64u

/* --- structs -------------------------------------------------------------
 * Kafka's defaults are not all zero (-1, null, INT32_MAX), so a message to be
 * encoded is never merely cleared: each struct of it starts from one of these. */

void mq_struct_init(const struct mq_struct *s, void *out);

/* n structs at their defaults; NULL when out of memory or past the arena's
 * limit. For n 0 the result is not NULL either. */
void *mq_struct_array(struct mq_arena *arena, const struct mq_struct *s, size_t n);

/* The same two by C tag: mq_new(arena, mq_produce_response_topic, n). */
#define mq_new(arena, tag, n)     ((struct tag *)mq_struct_array((arena), &tag##_struct, (n)))
#define mq_set_defaults(tag, out) mq_struct_init(&tag##_struct, (struct tag *){(out)})

static inline void mq_message_init(const struct mq_message *msg, void *out)
{
	mq_struct_init(msg->root, out);
}

/* --- decoding ------------------------------------------------------------ */

/*
 * Reads one message. in moves behind it; bytes that follow are left to the
 * caller (Kafka ignores what trails a request or response body, and so should
 * the caller of this).
 *
 * Fields that the version lacks are at their defaults; unknown tagged fields
 * are skipped.
 *
 * Memory: out borrows from in's bytes and from arena; both must outlive it.
 * Errors: MQ_E_UNSUPPORTED_VERSION  the message has no such version
 *         MQ_E_PROTOCOL             malformed: error tells the field
 *         MQ_E_NOMEM                also when the arena's limit is reached
 *         On error out and in are as they were; the arena may have grown.
 */
mq_err mq_message_decode(const struct mq_message *msg, int16_t version, struct mq_cursor *in,
			 struct mq_arena *arena, void *out, mq_error *error);

/* --- encoding ------------------------------------------------------------ */

/* One stretch of the output, as mq_wire_out_segment gives it. */
struct mq_wire_segment {
	struct mq_piece piece;
	size_t at; /* in own bytes: where they are in the buffer */
};

/*
 * What has been encoded: bytes of its own, borrowed memory and ranges of
 * files, in order. After the first failure it takes nothing more, and the
 * encoder returns err.
 */
struct mq_wire_out {
	struct mq_buf buf; /* the own bytes of all segments */
	size_t own_start;  /* own bytes from here on are in no segment yet */
	struct mq_wire_segment *segments;
	size_t n_segments, segments_capacity;
	size_t borrowed; /* bytes in segments that are not own */
	size_t size_max; /* limit on the whole size; 0 is none */
	mq_err err;
};

void mq_wire_out_init(struct mq_wire_out *out, size_t size_max);
void mq_wire_out_deinit(struct mq_wire_out *out);

/* Empties it and keeps the memory for the next message. */
void mq_wire_out_reset(struct mq_wire_out *out);

/* Bytes in all. */
static inline size_t mq_wire_out_size(const struct mq_wire_out *out)
{
	return out->buf.size + out->borrowed;
}

/* Room for n own bytes; NULL when the output has failed, which is in err. */
uint8_t *mq_wire_out_put(struct mq_wire_out *out, size_t n);

/* Puts borrowed bytes or a range of a file behind what is there. */
void mq_wire_out_piece(struct mq_wire_out *out, const struct mq_piece *piece);

/* Ends the present run of own bytes, so that every byte is in a segment. To
 * be called before the two below; mq_frame_end does. */
mq_err mq_wire_out_finish(struct mq_wire_out *out);

/* Segment i of n_segments. Own bytes have owner NULL and are valid until the
 * next change of out. */
struct mq_piece mq_wire_out_segment(const struct mq_wire_out *out, size_t i);

/* The whole output in one block, for who cannot send pieces (file ranges are
 * then MQ_E_UNSUPPORTED). The caller frees it with free(). */
mq_err mq_wire_out_join(const struct mq_wire_out *out, uint8_t **data, size_t *size);

/*
 * Appends one message. Null where the version does not allow it, and strings
 * or arrays that are too long, are the caller's mistake and come back as
 * MQ_E_ARG; they may stem from an application, so they do not assert.
 *
 * A value other than the default in a field that the version lacks is left
 * out when the field is ignorable, else MQ_E_UNSUPPORTED_VERSION.
 *
 * Memory: records are borrowed by out until it is reset.
 * Errors: the above, MQ_E_TOO_BIG past out's limit, MQ_E_NOMEM. On error out
 *         is spoiled until its next reset.
 */
mq_err mq_message_encode(const struct mq_message *msg, int16_t version, const void *in,
			 struct mq_wire_out *out, mq_error *error);

/* --- printing ------------------------------------------------------------ */

/*
 * Appends the message as JSON with Kafka's field names, for people, logs and
 * comparison. Bytes are base64, records only their size. Fields that the
 * version lacks are left out, and tagged fields at their default. out.failed
 * tells of memory.
 */
mq_err mq_message_print(const struct mq_message *msg, int16_t version, const void *in,
			struct mq_buf *out);

#endif
