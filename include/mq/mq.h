/*
 * libmq: Apache Kafka as a C library. This header includes every public one.
 */
#ifndef MQ_MQ_H
#define MQ_MQ_H

#include <mq/admin.h>
#include <mq/assignor.h>
#include <mq/error.h>
#include <mq/broker.h>
#include <mq/config.h>
#include <mq/consumer.h>
#include <mq/interceptor.h>
#include <mq/producer.h>
#include <mq/record.h>
#include <mq/segment.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The version of the library, such as "0.1.0". Thread: any. Memory: static. */
MQ_API const char *mq_version(void);

#ifdef __cplusplus
}
#endif

#endif
