/*
 * Where code lies, and which way it goes. What a record passes on its way into a log lies together,
 * and what only happens when something goes wrong lies elsewhere: a program that sends now and then
 * finds its caches and its TLB filled by others, and pays for each line of code and each page it
 * touches, and for each branch that the processor has not seen lately.
 */
#ifndef MQ_BASE_HINT_H
#define MQ_BASE_HINT_H

#define MQ_HOT  __attribute__((hot))
#define MQ_COLD __attribute__((cold))

/* Where a call would send through memory what can stay in registers. */
#define MQ_ALWAYS_INLINE inline __attribute__((always_inline))

#define MQ_LIKELY(x)   __builtin_expect(!!(x), 1)
#define MQ_UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif
