/* Prints the tables for tests/tools/check_tables.py: a line a message and a
 * line a field, the fields of a nested struct behind the field it is in. */
#include <stdio.h>

#include "protocol/support.h"

static const char *const types[] = {
    [MQ_TYPE_BOOL] = "bool",     [MQ_TYPE_INT8] = "int8",       [MQ_TYPE_INT16] = "int16",
    [MQ_TYPE_UINT16] = "uint16", [MQ_TYPE_INT32] = "int32",     [MQ_TYPE_UINT32] = "uint32",
    [MQ_TYPE_INT64] = "int64",   [MQ_TYPE_FLOAT64] = "float64", [MQ_TYPE_UUID] = "uuid",
    [MQ_TYPE_STRING] = "string", [MQ_TYPE_BYTES] = "bytes",     [MQ_TYPE_RECORDS] = "records",
    [MQ_TYPE_STRUCT] = "struct",
};

static void print_fields(const struct mq_struct *s, int depth)
{
	for (uint16_t i = 0; i < s->n_fields; i++) {
		const struct mq_field *f = &s->fields[i];
		bool array = f->shape == MQ_SHAPE_ARRAY || f->shape == MQ_SHAPE_STRUCTS;

		printf("field\t%d\t%s\t%s%s\t%d\t%d\t%d\t%d\t", depth, mq_field_name(f), array ? "[]" : "",
		       types[f->type], f->first, f->last, f->nullable ? f->null_first : -1,
		       f->tagged ? f->tag : -1);
		if (f->default_null)
			printf("null");
		else
			printf("%lld", (long long)f->value);
		printf("\t%d\n", f->ignorable);
		if (mq_field_element(f))
			print_fields(mq_field_element(f), depth + 1);
	}
}

int main(void)
{
	const struct mq_message *msg;

	EACH_MESSAGE(msg)
	{
		printf("message\t%s\t%d\t%d\t%d\n", msg->name, msg->version_min, msg->version_max,
		       msg->flexible_first);
		print_fields(msg->root, 0);
	}
	return 0;
}
