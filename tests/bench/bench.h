/* What the benchmarks of clients and brokers have in common. */
#ifndef MQ_TESTS_BENCH_H
#define MQ_TESTS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#define BENCH_RUNS_MAX 101

/* Ends the program. */
void bench_die(const char *what, const char *why) __attribute__((noreturn));

double bench_seconds(clockid_t clock);

/* CPU seconds of all threads of another process. */
double bench_cpu_of(pid_t pid);

/* Until this second of CLOCK_MONOTONIC. The thread spins for the last bit, so that what
 * is measured then is neither a processor that wakes up nor caches that cool down. */
void bench_wait_until(double at);

/* On this processor alone, and the threads that are started from now on, too; where
 * there is no such processor everything stays as it is. */
void bench_pin(int cpu);

/* Runs a function in a process that does nothing else, and hands over what it
 * filled in. */
void bench_in_child(void (*run)(void *arg, void *out), void *arg, void *out, size_t size);

/* Sorts values, and gives the one at this share of them (0.5: the median). */
double bench_quantile(double *values, int n, double share);

/* The median with the quartiles around it. */
void bench_print_spread(double *values, int n);

/* A directory of its own below the working directory. */
void bench_dir_make(char *dir, size_t size);
void bench_dir_remove(const char *dir);

/* A broker, mostly one that runs as `mq server-start` until the program ends. */
struct bench_broker {
	char address[64];
	pid_t pid;
	char dir[64]; /* empty: it is not ours */
};

struct bench_broker *bench_broker_start(const char *mq);
void bench_topic_delete(const struct bench_broker *broker, const char *mq, const char *topic);

#endif
