/* Between the files of the simulated world. */
#ifndef MQ_TESTS_SIM_IMPL_H
#define MQ_TESTS_SIM_IMPL_H

#include <stdint.h>

/* The clock has moved on. */
void sim_hosts_advance(int64_t us);

/* The end of the trace, and how to repeat the run. */
void sim_report_trace(void);

#endif
