/*
 * libmq: Apache Kafka as a C library. This header includes every public one.
 */
#ifndef MQ_MQ_H
#define MQ_MQ_H

#include <mq/error.h>
#include <mq/config.h>
#include <mq/record.h>

#endif
