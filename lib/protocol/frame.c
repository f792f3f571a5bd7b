/* Sizes and headers around the messages. */
#include "protocol/frame.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "protocol/varint.h"

/* Headers have no known tagged fields, so all are skipped. */
static bool skip_tags(struct mq_cursor *in)
{
	uint32_t next = 0;

	for (uint32_t n = mq_cursor_varint(in); n > 0 && !in->failed; n--) {
		uint32_t tag = mq_cursor_varint(in);
		uint32_t size = mq_cursor_varint(in);

		if (tag < next || tag == UINT32_MAX)
			return false;
		next = tag + 1;
		mq_cursor_take(in, size);
	}
	return !in->failed;
}

static bool take_client_id(struct mq_cursor *in, mq_bytes *client_id)
{
	int16_t n = (int16_t)mq_cursor_be16(in);
	const uint8_t *p;

	if (in->failed || n < -1)
		return false;
	if (n < 0)
		return true;
	p = mq_cursor_take(in, (size_t)n);
	*client_id = mq_mem(p, (size_t)n);
	return p;
}

mq_err mq_request_header_decode(struct mq_cursor *in, struct mq_request_header *header,
				mq_error *error)
{
	struct mq_cursor c = *in;
	struct mq_request_header h = {0};
	const struct mq_api *api;
	int16_t version;

	h.api_key = (int16_t)mq_cursor_be16(&c);
	h.api_version = (int16_t)mq_cursor_be16(&c);
	h.correlation_id = (int32_t)mq_cursor_be32(&c);
	if (c.failed)
		return mq_fail(error, MQ_E_PROTOCOL, "request header: cut short");
	api = mq_api_find(h.api_key);
	if (!api)
		return mq_fail(error, MQ_E_UNSUPPORTED_VERSION,
			       "request header: unknown API key %d", h.api_key);
	version = mq_api_request_header_version(api, h.api_version);
	if (version >= 1 && !take_client_id(&c, &h.client_id))
		return mq_fail(error, MQ_E_PROTOCOL, "request header: bad client id");
	if (version >= 2 && !skip_tags(&c))
		return mq_fail(error, MQ_E_PROTOCOL, "request header: bad tagged fields");
	*header = h;
	*in = c;
	return MQ_OK;
}

mq_err mq_request_header_encode(const struct mq_request_header *header, struct mq_wire_out *out,
				mq_error *error)
{
	const struct mq_api *api = mq_api_find(header->api_key);
	size_t client_id = header->client_id.data ? header->client_id.size : 0;
	int16_t version;
	uint8_t *p;

	if (!api)
		return mq_fail(error, MQ_E_UNSUPPORTED_VERSION, "unknown API key %d",
			       header->api_key);
	if (client_id > MQ_STRING_MAX)
		return mq_fail(error, MQ_E_ARG, "the client id is longer than %d bytes",
			       MQ_STRING_MAX);
	version = mq_api_request_header_version(api, header->api_version);
	p = mq_wire_out_put(out, 8 + (version >= 1 ? 2 + client_id : 0) + (version >= 2));
	if (!p)
		return mq_fail(error, out->err, "request header: %s", mq_err_text(out->err));
	mq_put16(p, (uint16_t)header->api_key);
	mq_put16(p + 2, (uint16_t)header->api_version);
	mq_put32(p + 4, (uint32_t)header->correlation_id);
	if (version < 1)
		return MQ_OK;
	mq_put16(p + 8, header->client_id.data ? (uint16_t)client_id : UINT16_MAX);
	if (client_id)
		memcpy(p + 10, header->client_id.data, client_id);
	if (version >= 2)
		p[10 + client_id] = 0;
	return MQ_OK;
}

mq_err mq_response_header_decode(struct mq_cursor *in, const struct mq_api *api,
				 int16_t api_version, int32_t *correlation_id, mq_error *error)
{
	struct mq_cursor c = *in;
	int32_t id = (int32_t)mq_cursor_be32(&c);

	if (c.failed || (mq_api_response_header_version(api, api_version) >= 1 && !skip_tags(&c)))
		return mq_fail(error, MQ_E_PROTOCOL, "malformed response header");
	*correlation_id = id;
	*in = c;
	return MQ_OK;
}

void mq_response_header_encode(struct mq_wire_out *out, const struct mq_api *api,
			       int16_t api_version, int32_t correlation_id)
{
	bool tags = mq_api_response_header_version(api, api_version) >= 1;
	uint8_t *p = mq_wire_out_put(out, tags ? 5 : 4);

	if (!p)
		return;
	mq_put32(p, (uint32_t)correlation_id);
	if (tags)
		p[4] = 0;
}

void mq_frame_begin(struct mq_wire_out *out)
{
	uint8_t *p;

	assert(mq_wire_out_size(out) == 0);
	p = mq_wire_out_put(out, MQ_FRAME_SIZE_BYTES);
	if (p)
		mq_put32(p, 0);
}

mq_err mq_frame_end(struct mq_wire_out *out)
{
	size_t size = mq_wire_out_size(out);

	if (out->err)
		return out->err;
	if (size - MQ_FRAME_SIZE_BYTES > INT32_MAX)
		return out->err = MQ_E_TOO_BIG;
	mq_put32(out->buf.data, (uint32_t)(size - MQ_FRAME_SIZE_BYTES));
	return mq_wire_out_finish(out);
}

mq_err mq_frame_size(const void *data, size_t size_max, size_t *size)
{
	int32_t n = (int32_t)mq_get32(data);

	if (n < 0)
		return MQ_E_PROTOCOL;
	if ((size_t)n > size_max)
		return MQ_E_TOO_BIG;
	*size = (size_t)n;
	return MQ_OK;
}

mq_err mq_frame_request(const struct mq_request_header *header, const void *request,
			struct mq_wire_out *out, mq_error *error)
{
	mq_err err;

	mq_frame_begin(out);
	err = mq_request_header_encode(header, out, error);
	if (!err)
		err = mq_message_encode(mq_api_find(header->api_key)->request, header->api_version,
					request, out, error);
	if (!err && mq_frame_end(out))
		err = mq_fail(error, out->err, "request: %s", mq_err_text(out->err));
	return err;
}

mq_err mq_frame_response(const struct mq_api *api, int16_t api_version, int32_t correlation_id,
			 const void *response, struct mq_wire_out *out, mq_error *error)
{
	mq_err err;

	mq_frame_begin(out);
	mq_response_header_encode(out, api, api_version, correlation_id);
	err = mq_message_encode(api->response, api_version, response, out, error);
	if (!err && mq_frame_end(out))
		err = mq_fail(error, out->err, "response: %s", mq_err_text(out->err));
	return err;
}
