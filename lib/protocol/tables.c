/*
 * The tables: the message files read again, for the names of the fields, for the
 * numbers of the structs, and each list as rows.
 */
#include "base/hint.h"
#include "protocol/api.h"
#include "protocol/messages.h"
#include "protocol/plan.h"

#define MQ_WIRE_TABLES
#undef MQ_STRUCT
#undef MQ_MESSAGE

#define MQ_MESSAGE(tag, kafka_name, min, max, flexible, LIST) MQ_STRUCT(tag, LIST)

#define NAME_MEMBER(T, shape_, type_, name_, ...) char T##__##name_[sizeof(#name_)];
#define NAME_TEXT(T, shape_, type_, name_, ...)   #name_,

#define MQ_STRUCT(tag, LIST) LIST(NAME_MEMBER, tag)
struct names {
	char none[1];
#include "protocol/messages.h"
};
#undef MQ_STRUCT

#define MQ_STRUCT(tag, LIST) LIST(NAME_TEXT, tag)
static const struct names names = {
    "",
#include "protocol/messages.h"
};
#undef MQ_STRUCT

_Static_assert(sizeof(names) <= UINT16_MAX, "the place of a name fits its field");

#define MQ_STRUCT(tag, LIST) tag##_number,
enum {
	no_number,
#include "protocol/messages.h"
};
#undef MQ_STRUCT

#define MQ_STRUCT(tag, LIST) &tag##_struct,
static const struct mq_struct *const structs[] = {
    NULL,
#include "protocol/messages.h"
};
#undef MQ_STRUCT
#undef MQ_MESSAGE

MQ_HOT void *_Atomic *mq_struct_image(const struct mq_struct *s)
{
	static void *_Atomic images[sizeof(structs) / sizeof(structs[0])];

	return &images[s->number];
}

const char *mq_field_name(const struct mq_field *field)
{
	return (const char *)&names + field->name;
}

const struct mq_struct *mq_field_element(const struct mq_field *field)
{
	return structs[field->element];
}

#define ROW_OF_ONE(T, t, n)     .shape = MQ_SHAPE_ONE, .type = MQ_TYPE_##t
#define ROW_OF_ARRAY(T, t, n)   .shape = MQ_SHAPE_ARRAY, .type = MQ_TYPE_##t, ROW_COUNT(T, n)
#define ROW_OF_STRUCT(T, t, n)  .shape = MQ_SHAPE_STRUCT, ROW_ELEMENT(t)
#define ROW_OF_STRUCTP(T, t, n) .shape = MQ_SHAPE_STRUCTP, ROW_ELEMENT(t)
#define ROW_OF_STRUCTS(T, t, n) .shape = MQ_SHAPE_STRUCTS, ROW_ELEMENT(t), ROW_COUNT(T, n)
#define ROW_COUNT(T, n)         .offset_n = offsetof(struct T, n_##n)
#define ROW_ELEMENT(t)          .type = MQ_TYPE_STRUCT, .element = t##_number

#define ROW(T, shape_, type_, name_, first_, last_, ...)                                           \
	{.name = offsetof(struct names, T##__##name_),                                             \
	 .offset = offsetof(struct T, name_),                                                      \
	 .first = first_,                                                                          \
	 .last = last_,                                                                            \
	 ROW_OF_##shape_(T, type_, name_),                                                         \
	 ##__VA_ARGS__},

#define MQ_STRUCT(tag, LIST)                                                                       \
	static const struct mq_field tag##_fields[] = {LIST(ROW, tag)};                            \
	const struct mq_struct tag##_struct = {                                                    \
	    .name = #tag,                                                                          \
	    .size = sizeof(struct tag),                                                            \
	    .n_fields = sizeof(tag##_fields) / sizeof(tag##_fields[0]),                            \
	    .number = tag##_number,                                                                \
	    .fields = tag##_fields,                                                                \
	};

#define MQ_MESSAGE(tag, kafka_name, min, max, flexible, LIST)                                      \
	MQ_STRUCT(tag, LIST)                                                                       \
	static struct mq_plan *_Atomic tag##_plans[(max) - (min) + 1];                             \
	const struct mq_message tag##_message = {                                                  \
	    .name = kafka_name,                                                                    \
	    .version_min = min,                                                                    \
	    .version_max = max,                                                                    \
	    .flexible_first = flexible,                                                            \
	    .root = &tag##_struct,                                                                 \
	    .plans = tag##_plans,                                                                  \
	};

#include "protocol/messages.h"

#define API(key_, upper, tag, text)                                                                \
	[key_] = {                                                                                 \
	    .key = key_,                                                                           \
	    .version_min = mq_##tag##_request_version_min,                                         \
	    .version_max = mq_##tag##_request_version_max,                                         \
	    .flexible_first = mq_##tag##_request_flexible,                                         \
	    .name = text,                                                                          \
	    .request = &mq_##tag##_request_message,                                                \
	    .response = &mq_##tag##_response_message,                                              \
	},

static const struct mq_api apis[MQ_API_KEY_END] = {MQ_APIS(API)};

const struct mq_api *mq_api_find(int16_t key)
{
	if (key < 0 || key >= MQ_API_KEY_END || !apis[key].name)
		return NULL;
	return &apis[key];
}

int16_t mq_api_request_header_version(const struct mq_api *api, int16_t version)
{
	if (version >= api->flexible_first)
		return 2;
	return api->key == MQ_API_CONTROLLED_SHUTDOWN && version == 0 ? 0 : 1;
}

int16_t mq_api_response_header_version(const struct mq_api *api, int16_t version)
{
	return api->key != MQ_API_API_VERSIONS && version >= api->flexible_first ? 1 : 0;
}
