/*
 * Framing: the size in front, the header, then the body.
 *
 *	request    int32 size | int16 api_key | int16 api_version
 *	           int32 correlation_id
 *	           nullable string client_id      header version 1 and 2
 *	           tagged fields                  header version 2
 *	response   int32 size | int32 correlation_id
 *	           tagged fields                  header version 1
 *
 * Request headers are version 2 in flexible versions of an API, else 1; only
 * ControlledShutdown 0 has header version 0. client_id is never a compact
 * string, not even in version 2. Response headers are version 1 in flexible
 * versions, else 0; but ApiVersions always has 0, whatever its body is,
 * because the client does not know yet what the broker speaks.
 *
 * For the same reason a broker that gets ApiVersions in a version above its
 * own neither closes the connection nor looks at the body: it answers with
 * response header 0 and body version 0, error UNSUPPORTED_VERSION, and one
 * entry that names its range of ApiVersions. mq_request_header_decode makes
 * that possible: it succeeds for every version of a known API.
 */
#ifndef MQ_PROTOCOL_FRAME_H
#define MQ_PROTOCOL_FRAME_H

#include "protocol/api.h"
#include "protocol/wire.h"

#define MQ_FRAME_SIZE_BYTES 4u

struct mq_request_header {
	int16_t api_key, api_version;
	int32_t correlation_id;
	mq_bytes client_id;
};

/*
 * Reads the header behind the size; in moves to the body. client_id is
 * borrowed from in.
 * Errors: MQ_E_UNSUPPORTED_VERSION  the API key is unknown: nobody can tell
 *                                   where the body starts, so close
 *         MQ_E_PROTOCOL             malformed
 */
mq_err mq_request_header_decode(struct mq_cursor *in, struct mq_request_header *header,
				mq_error *error);

mq_err mq_request_header_encode(const struct mq_request_header *header, struct mq_wire_out *out,
				mq_error *error);

mq_err mq_response_header_decode(struct mq_cursor *in, const struct mq_api *api,
				 int16_t api_version, int32_t *correlation_id, mq_error *error);

void mq_response_header_encode(struct mq_wire_out *out, const struct mq_api *api,
			       int16_t api_version, int32_t correlation_id);

/* Starts a frame in an empty out: room for the size. */
void mq_frame_begin(struct mq_wire_out *out);

/* Ends it: writes the size and finishes the segments. Returns out's error. */
mq_err mq_frame_end(struct mq_wire_out *out);

/* The size in front of a frame, at the first four bytes; negative sizes and
 * those above size_max are MQ_E_PROTOCOL and MQ_E_TOO_BIG. */
mq_err mq_frame_size(const void *data, size_t size_max, size_t *size);

/* A whole request or response frame: begin, header, body, end. Out must be
 * empty; on error it is spoiled until its reset. */
mq_err mq_frame_request(const struct mq_request_header *header, const void *request,
			struct mq_wire_out *out, mq_error *error);
mq_err mq_frame_response(const struct mq_api *api, int16_t api_version, int32_t correlation_id,
			 const void *response, struct mq_wire_out *out, mq_error *error);

#endif
