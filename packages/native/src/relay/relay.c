#include "relay.h"
#include "../mailbox.h"
#include "../syscall.h"

#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <stddef.h>

#define NEVER INT64_MAX
#define BUCKETS 256
#define EVENTS_AT_ONCE 64
/* All pairs are looked through for idle ones no more often than this. */
#define IDLE_CHECK_MS 10
/*
 * Events that came this soon are looked for again, for as long, before the thread sleeps: to be woken on another processor
 * takes several times as long as the rest of a round trip.
 */
#define SOON_US 60

/* What no side has as its address. */
#define MAILBOX 0

struct order {
	struct letter letter;
	uint32_t id;
	struct pair *pair; /* to be added; NULL: the one of this id is to be broken off */
};

struct relay {
	pair_ended *ended;
	void *receiver;
	thread_id thread;
	int32_t epoll;
	struct mailbox orders;
	struct pair *buckets[BUCKETS];
	struct pair *gone; /* while events of theirs may be at hand still */
	int64_t next_check; /* no pair is idle before */
	uint8_t *buffer;
	bool stopping;
	bool came_soon; /* the last events after the thread had slept */
};

static struct pair **find(struct relay *relay, uint32_t id)
{
	struct pair **at = &relay->buckets[id % BUCKETS];

	while (*at != NULL && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

static void end(struct relay *relay, struct pair *pair, enum end how)
{
	*find(relay, pair->id) = pair->next;
	pair->end = how;
	pair_unwatch(pair, relay->epoll);
	pair->next = relay->gone;
	relay->gone = pair;
}

/* Closed before they are told of: whoever hears of it may count descriptors. */
static void bury(struct relay *relay)
{
	while (relay->gone != NULL) {
		struct pair *pair = relay->gone;

		relay->gone = pair->next;
		pair_close(pair);
		relay->ended(relay->receiver, pair);
	}
}

/* ---- idleness ---- */

static void expect_idle_at(struct relay *relay, int64_t time)
{
	if (time < relay->next_check)
		relay->next_check = time;
}

static void check_idle(struct relay *relay, struct pair *pair, int64_t now)
{
	if (pair->idle_timeout == 0)
		return;
	if (pair->moved_at + pair->idle_timeout <= now)
		end(relay, pair, IDLE);
	else
		expect_idle_at(relay, pair->moved_at + pair->idle_timeout);
}

static void check_all_idle(struct relay *relay, int64_t now)
{
	if (now < relay->next_check)
		return;
	relay->next_check = NEVER;
	for (uint32_t bucket = 0; bucket < BUCKETS; bucket++) {
		struct pair *pair = relay->buckets[bucket];

		while (pair != NULL) {
			struct pair *next = pair->next;

			check_idle(relay, pair, now);
			pair = next;
		}
	}
	if (relay->next_check < now + IDLE_CHECK_MS)
		relay->next_check = now + IDLE_CHECK_MS;
}

static int32_t patience(const struct relay *relay, int64_t now)
{
	int64_t left;

	if (relay->next_check == NEVER)
		return -1;
	left = relay->next_check - now;
	if (left < 0)
		return 0;
	return left < INT32_MAX ? (int32_t)left : INT32_MAX;
}

/* ---- the thread ---- */

static void add(struct relay *relay, struct pair *pair)
{
	struct pair **bucket = &relay->buckets[pair->id % BUCKETS];

	pair->next = *bucket;
	*bucket = pair;
	pair->moved_at = monotonic_ms();
	if (pair->idle_timeout > 0)
		expect_idle_at(relay, pair->moved_at + pair->idle_timeout);
	if (pair_watch(pair, relay->epoll) < 0)
		end(relay, pair, RESET);
}

static void obey(struct relay *relay, const struct order *order)
{
	struct pair *pair = order->pair != NULL ? order->pair : *find(relay, order->id);

	if (order->pair != NULL)
		add(relay, pair);
	else if (pair != NULL)
		end(relay, pair, RESET);
}

static void obey_all(struct relay *relay)
{
	struct letter *letter = mailbox_take(&relay->orders);

	while (letter != NULL) {
		struct order *order = (struct order *)letter;

		letter = letter->next;
		obey(relay, order);
		free(order);
	}
}

static void handle(struct relay *relay, const struct epoll_event *event, int64_t now)
{
	struct side *side = (struct side *)(uintptr_t)event->data;
	enum end how;

	if (event->data == MAILBOX)
		return mailbox_silence(&relay->orders);
	if (side->pair->end != GOES_ON)
		return;
	how = pair_move(side, event->events, relay->epoll, relay->buffer, now);
	if (how != GOES_ON)
		end(relay, side->pair, how);
}

static long take_events(struct relay *relay, struct epoll_event *events, int32_t milliseconds)
{
	return SYSCALL(epoll_pwait, relay->epoll, events, EVENTS_AT_ONCE, milliseconds, NULL, 8);
}

static long wait_for_events(struct relay *relay, struct epoll_event *events, int32_t milliseconds)
{
	int64_t begun = monotonic_us(), looked = begun;
	long count;

	while (relay->came_soon && looked < begun + SOON_US) {
		count = take_events(relay, events, 0);
		if (count != 0)
			return count;
		/* To whoever is to send what is waited for, where there is one processor for both. */
		SYSCALL(sched_yield, 0, 0, 0, 0, 0, 0);
		looked = monotonic_us();
	}
	count = take_events(relay, events, milliseconds);
	relay->came_soon = monotonic_us() < looked + SOON_US;
	return count;
}

static void *run(void *argument)
{
	struct relay *relay = argument;
	struct epoll_event events[EVENTS_AT_ONCE];
	int64_t now = monotonic_ms();

	thread_begin("relay-epoll");
	while (!__atomic_load_n(&relay->stopping, __ATOMIC_ACQUIRE)) {
		long count = wait_for_events(relay, events, patience(relay, now));

		now = monotonic_ms();
		for (long index = 0; index < count; index++)
			handle(relay, &events[index], now);
		obey_all(relay);
		check_all_idle(relay, now);
		bury(relay);
	}
	return NULL;
}

/* ---- from the JavaScript thread ---- */

static bool submit(struct relay *relay, uint32_t id, struct pair *pair)
{
	struct order *order = allocate(sizeof *order);

	if (order == NULL)
		return false;
	order->id = id;
	order->pair = pair;
	mailbox_send(&relay->orders, &order->letter);
	return true;
}

bool relay_add(struct relay *relay, struct pair *pair)
{
	return submit(relay, pair->id, pair);
}

void relay_abort(struct relay *relay, uint32_t id)
{
	submit(relay, id, NULL);
}

static void relay_free(struct relay *relay)
{
	if (relay->epoll >= 0)
		SYSCALL(close, relay->epoll, 0, 0, 0, 0, 0);
	mailbox_close(&relay->orders);
	free(relay->buffer);
	free(relay);
}

static int32_t open_descriptors(struct relay *relay)
{
	relay->orders.wakeup = -1;
	relay->epoll = SYSCALL(epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0, 0);
	if (relay->epoll < 0)
		return relay->epoll;
	return mailbox_open(&relay->orders, relay->epoll, MAILBOX);
}

struct relay *relay_start(pair_ended *ended, void *receiver, int32_t *error)
{
	struct relay *relay = allocate(sizeof *relay);

	*error = -ENOMEM;
	if (relay == NULL)
		return NULL;
	relay->ended = ended;
	relay->receiver = receiver;
	relay->next_check = NEVER;
	*error = open_descriptors(relay);
	relay->buffer = malloc(PAIR_BUFFER_BYTES);
	if (*error == 0 && relay->buffer == NULL)
		*error = -ENOMEM;
	if (*error == 0)
		*error = -pthread_create(&relay->thread, NULL, run, relay);
	if (*error == 0)
		return relay;
	relay_free(relay);
	return NULL;
}

static void discard(struct pair *pair)
{
	pair_close(pair);
	free(pair);
}

static void discard_orders(struct relay *relay)
{
	struct letter *letter = mailbox_take(&relay->orders);

	while (letter != NULL) {
		struct order *order = (struct order *)letter;

		letter = letter->next;
		if (order->pair != NULL)
			discard(order->pair);
		free(order);
	}
}

static void discard_pairs(struct pair *pair)
{
	while (pair != NULL) {
		struct pair *next = pair->next;

		discard(pair);
		pair = next;
	}
}

void relay_stop(struct relay *relay)
{
	__atomic_store_n(&relay->stopping, true, __ATOMIC_RELEASE);
	mailbox_wake(&relay->orders);
	pthread_join(relay->thread, NULL);
	discard_orders(relay);
	for (uint32_t bucket = 0; bucket < BUCKETS; bucket++)
		discard_pairs(relay->buckets[bucket]);
	relay_free(relay);
}
