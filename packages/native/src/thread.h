/* What is needed of threads: to start one, to wait for one, and a lock. */
#ifndef NITRO_ENCLAVES_THREAD_H
#define NITRO_ENCLAVES_THREAD_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Node-API may be called only from a thread that the C library made, so these come from the one that Node has loaded.
 * Declared without a version and linked with none: glibc and musl both answer to the bare names.
 */
typedef unsigned long thread_id;
int pthread_create(thread_id *thread, const void *attributes, void *(*run)(void *), void *argument);
int pthread_join(thread_id thread, void **result);
int pthread_detach(thread_id thread);
void *malloc(unsigned long size);
void free(void *memory);
void *memcpy(void *to, const void *from, unsigned long size);

/* Zeroed memory, or NULL. */
void *allocate(unsigned long size);
/* Overwrites what may be secret; the compiler cannot leave it out. */
void wipe(void *memory, unsigned long size);

/* Zero is unlocked. */
struct lock {
	uint32_t state;
};
void lock_take(struct lock *lock);
void lock_give(struct lock *lock);

/* For the first line of a thread: signals are the main thread's business. */
void thread_begin(const char *name);
int64_t monotonic_us(void);
int64_t monotonic_ms(void);

#endif
