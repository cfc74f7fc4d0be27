#include "thread.h"
#include "syscall.h"

#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/time.h>
#include <stddef.h>

enum { UNLOCKED, LOCKED, CONTENDED };

void *allocate(unsigned long size)
{
	unsigned char *memory = malloc(size);

	if (memory != NULL)
		wipe(memory, size);
	return memory;
}

void wipe(void *memory, unsigned long size)
{
	volatile unsigned char *bytes = memory;

	for (unsigned long index = 0; index < size; index++)
		bytes[index] = 0;
}

/* Drepper, "Futexes Are Tricky", mutex 2. */
void lock_take(struct lock *lock)
{
	uint32_t found = UNLOCKED;

	if (__atomic_compare_exchange_n(&lock->state, &found, LOCKED, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(&lock->state, CONTENDED, __ATOMIC_ACQUIRE) != UNLOCKED)
		SYSCALL(futex, &lock->state, FUTEX_WAIT_PRIVATE, CONTENDED, NULL, NULL, 0);
}

void lock_give(struct lock *lock)
{
	if (__atomic_exchange_n(&lock->state, UNLOCKED, __ATOMIC_RELEASE) == CONTENDED)
		SYSCALL(futex, &lock->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void thread_begin(const char *name)
{
	uint64_t all = ~0ULL;

	SYSCALL(rt_sigprocmask, 0 /* SIG_BLOCK */, &all, NULL, sizeof all, 0, 0);
	SYSCALL(prctl, PR_SET_NAME, name, 0, 0, 0, 0);
}

int64_t monotonic_us(void)
{
	struct {
		int64_t seconds, nanoseconds;
	} now;

	SYSCALL(clock_gettime, CLOCK_MONOTONIC, &now, 0, 0, 0, 0);
	return now.seconds * 1000000 + now.nanoseconds / 1000;
}

int64_t monotonic_ms(void)
{
	return monotonic_us() / 1000;
}
