#include "reactor.h"
#include "mailbox.h"
#include "syscall.h"

#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <stddef.h>
#include <sys/socket.h>

#define NEVER INT64_MAX
#define BUCKETS 256
#define EVENTS_AT_ONCE 64
/* Connections that are accepted and not yet delivered, per listener; all others wait in the kernel's backlog. */
#define BATCH 32
/* How long a listener pauses when there is no descriptor or memory for a connection. */
#define EXHAUSTED_PAUSE_MS 100

/* What no watch has as its id. */
#define WAKEUP 0

enum kind { CONNECT, LISTEN };

struct watch {
	struct watch *next; /* in its bucket */
	enum kind kind;
	uint64_t id;
	int32_t descriptor;
	/* CONNECT: when to give up. LISTEN: when to try again. */
	int64_t deadline;
	struct name name; /* CONNECT: to where */
};

enum order { ADD, REMOVE, RESUME };

struct command {
	struct letter letter;
	enum order order;
	uint64_t id;
	struct watch *watch;
};

struct reactor {
	struct channel *channel;
	thread_id thread;
	int32_t epoll;
	struct mailbox commands;
	struct watch *buckets[BUCKETS];
	int64_t next_deadline; /* no watch has an earlier one */
	bool stopping;
};

static void close_descriptor(int32_t descriptor)
{
	SYSCALL(close, descriptor, 0, 0, 0, 0, 0);
}

static void report(struct reactor *reactor, uint64_t id, int32_t result)
{
	struct report *made = report_create(id, result);

	if (made != NULL)
		made->descriptor = result;
	else if (result >= 0)
		close_descriptor(result);
	channel_post(reactor->channel, made);
}

static struct watch **find(struct reactor *reactor, uint64_t id)
{
	struct watch **at = &reactor->buckets[id % BUCKETS];

	while (*at != NULL && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

static void forget(struct reactor *reactor, struct watch *watch)
{
	struct watch **at = find(reactor, watch->id);

	*at = watch->next;
	free(watch);
}

/* Not left to the closing of the descriptor: while there are duplicates, that takes nothing out of an epoll. */
static void unarm(struct reactor *reactor, const struct watch *watch)
{
	SYSCALL(epoll_ctl, reactor->epoll, EPOLL_CTL_DEL, watch->descriptor, NULL, 0, 0);
}

/* Closed before it is reported: whoever hears of it may use the port. */
static void give_up(struct reactor *reactor, struct watch *watch, int32_t error)
{
	uint64_t id = watch->id;

	unarm(reactor, watch);
	close_descriptor(watch->descriptor);
	forget(reactor, watch);
	report(reactor, id, error);
}

static void set_deadline(struct reactor *reactor, struct watch *watch, int64_t deadline)
{
	watch->deadline = deadline;
	if (deadline < reactor->next_deadline)
		reactor->next_deadline = deadline;
}

static int32_t arm(struct reactor *reactor, struct watch *watch, int operation)
{
	/* The id, not the watch: an event may come from a duplicate that outlives it, as a child holds before it execs. */
	struct epoll_event event = {.events = EPOLLONESHOT, .data = watch->id};

	event.events |= watch->kind == CONNECT ? EPOLLOUT : EPOLLIN;
	return SYSCALL(epoll_ctl, reactor->epoll, operation, watch->descriptor, &event, 0, 0);
}

/* ---- connecting ---- */

static void connected(struct reactor *reactor, struct watch *watch)
{
	int32_t descriptor = watch->descriptor;
	uint64_t id = watch->id;

	unarm(reactor, watch);
	forget(reactor, watch);
	report(reactor, id, descriptor);
}

static void begin_connect(struct reactor *reactor, struct watch *watch)
{
	long result =
		SYSCALL(connect, watch->descriptor, watch->name.bytes, watch->name.length, 0, 0, 0);

	if (result == 0)
		return connected(reactor, watch);
	if (result == -EINPROGRESS)
		result = arm(reactor, watch, EPOLL_CTL_ADD);
	if (result < 0)
		give_up(reactor, watch, result);
}

static void finish_connect(struct reactor *reactor, struct watch *watch)
{
	int32_t error = 0;
	uint32_t size = sizeof error;
	long result = SYSCALL(getsockopt, watch->descriptor, SOL_SOCKET, SO_ERROR, &error, &size, 0);

	if (result == 0 && error == 0)
		connected(reactor, watch);
	else
		give_up(reactor, watch, result < 0 ? (int32_t)result : -error);
}

/* ---- listening ---- */

static struct report *accepted(struct watch *watch, int32_t descriptor, const struct name *peer)
{
	struct report *made = report_create(watch->id, descriptor);

	if (made == NULL)
		return NULL;
	made->descriptor = descriptor;
	made->has_names = true;
	made->peer = *peer;
	made->local.length = NAME_MAX_BYTES;
	if (SYSCALL(getsockname, descriptor, made->local.bytes, &made->local.length, 0, 0, 0) < 0)
		made->local.length = 0;
	return made;
}

static bool is_fault_of_one_connection(long error)
{
	return error == -ECONNABORTED || error == -EINTR || error == -EPERM || error == -EPROTO;
}

/* What to do when there is nothing more to accept, and nothing under way to JavaScript that would resume us. */
static void pause_or_go_on(struct reactor *reactor, struct watch *watch, long error)
{
	if (error != -EAGAIN)
		set_deadline(reactor, watch, monotonic_ms() + EXHAUSTED_PAUSE_MS);
	else if (arm(reactor, watch, EPOLL_CTL_MOD) < 0)
		give_up(reactor, watch, -EBADF);
}

static void accept_batch(struct reactor *reactor, struct watch *watch)
{
	struct report *held = NULL;
	long result = 0;

	for (int32_t count = 0; count < BATCH; count++) {
		struct name peer = {.length = NAME_MAX_BYTES};

		result = SYSCALL(accept4, watch->descriptor, peer.bytes, &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC, 0, 0);
		if (is_fault_of_one_connection(result))
			continue;
		if (result < 0)
			break;
		if (held != NULL)
			channel_post(reactor->channel, held);
		held = accepted(watch, result, &peer);
		if (held == NULL) {
			close_descriptor(result);
			result = -ENOMEM;
			break;
		}
	}
	if (held == NULL)
		return pause_or_go_on(reactor, watch, result < 0 && !is_fault_of_one_connection(result) ? result : -EAGAIN);
	held->last_of_batch = true;
	channel_post(reactor->channel, held);
}

/* ---- the thread ---- */

static void add(struct reactor *reactor, struct watch *watch)
{
	struct watch **bucket = &reactor->buckets[watch->id % BUCKETS];
	long result;

	watch->next = *bucket;
	*bucket = watch;
	set_deadline(reactor, watch, watch->deadline);
	if (watch->kind == CONNECT)
		return begin_connect(reactor, watch);
	result = arm(reactor, watch, EPOLL_CTL_ADD);
	if (result < 0)
		give_up(reactor, watch, result);
}

static void obey(struct reactor *reactor, struct command *command)
{
	struct watch *watch = command->watch != NULL ? command->watch : *find(reactor, command->id);

	if (watch == NULL)
		return;
	if (command->order == ADD)
		add(reactor, watch);
	else if (command->order == REMOVE)
		give_up(reactor, watch, -ECANCELED);
	else if (arm(reactor, watch, EPOLL_CTL_MOD) < 0)
		give_up(reactor, watch, -EBADF);
}

static void obey_all(struct reactor *reactor)
{
	struct letter *letter = mailbox_take(&reactor->commands);

	while (letter != NULL) {
		struct command *command = (struct command *)letter;

		letter = letter->next;
		obey(reactor, command);
		free(command);
	}
}

static void expire(struct reactor *reactor, struct watch *watch)
{
	watch->deadline = NEVER;
	if (watch->kind == CONNECT)
		give_up(reactor, watch, -ETIMEDOUT);
	else if (arm(reactor, watch, EPOLL_CTL_MOD) < 0)
		give_up(reactor, watch, -EBADF);
}

static void expire_all(struct reactor *reactor)
{
	int64_t now = monotonic_ms();

	if (now < reactor->next_deadline)
		return;
	reactor->next_deadline = NEVER;
	for (uint32_t bucket = 0; bucket < BUCKETS; bucket++) {
		struct watch *watch = reactor->buckets[bucket];

		while (watch != NULL) {
			struct watch *next = watch->next;

			if (watch->deadline <= now)
				expire(reactor, watch);
			else if (watch->deadline < reactor->next_deadline)
				reactor->next_deadline = watch->deadline;
			watch = next;
		}
	}
}

static int32_t patience(const struct reactor *reactor)
{
	int64_t left;

	if (reactor->next_deadline == NEVER)
		return -1;
	left = reactor->next_deadline - monotonic_ms();
	if (left < 0)
		return 0;
	return left < INT32_MAX ? (int32_t)left : INT32_MAX;
}

static void handle(struct reactor *reactor, const struct epoll_event *event)
{
	struct watch *watch = *find(reactor, event->data);

	if (event->data == WAKEUP)
		mailbox_silence(&reactor->commands);
	else if (watch == NULL)
		return;
	else if (watch->kind == CONNECT)
		finish_connect(reactor, watch);
	else
		accept_batch(reactor, watch);
}

static void *run(void *argument)
{
	struct reactor *reactor = argument;
	struct epoll_event events[EVENTS_AT_ONCE];

	thread_begin("vsock-epoll");
	while (!__atomic_load_n(&reactor->stopping, __ATOMIC_ACQUIRE)) {
		long count = SYSCALL(epoll_pwait, reactor->epoll, events, EVENTS_AT_ONCE, patience(reactor), NULL, 8);

		for (long index = 0; index < count; index++)
			handle(reactor, &events[index]);
		obey_all(reactor);
		expire_all(reactor);
	}
	return NULL;
}

/* ---- from the JavaScript thread ---- */

static bool submit(struct reactor *reactor, enum order order, uint64_t id, struct watch *watch)
{
	struct command *command = allocate(sizeof *command);

	if (command == NULL)
		return false;
	command->order = order;
	command->id = id;
	command->watch = watch;
	mailbox_send(&reactor->commands, &command->letter);
	return true;
}

static bool submit_watch(struct reactor *reactor, const struct watch *wanted)
{
	struct watch *watch = allocate(sizeof *watch);

	if (watch == NULL)
		return false;
	*watch = *wanted;
	if (submit(reactor, ADD, watch->id, watch))
		return true;
	free(watch);
	return false;
}

bool reactor_connect(struct reactor *reactor, uint64_t id, int32_t descriptor, const struct name *name,
		     int64_t timeout_ms)
{
	struct watch watch = {.kind = CONNECT, .id = id, .descriptor = descriptor, .name = *name};

	watch.deadline = monotonic_ms() + timeout_ms;
	return submit_watch(reactor, &watch);
}

bool reactor_listen(struct reactor *reactor, uint64_t id, int32_t descriptor)
{
	struct watch watch = {.kind = LISTEN, .id = id, .descriptor = descriptor, .deadline = NEVER};

	return submit_watch(reactor, &watch);
}

void reactor_remove(struct reactor *reactor, uint64_t id)
{
	submit(reactor, REMOVE, id, NULL);
}

void reactor_resume(struct reactor *reactor, uint64_t id)
{
	submit(reactor, RESUME, id, NULL);
}

static void reactor_free(struct reactor *reactor)
{
	if (reactor->epoll >= 0)
		close_descriptor(reactor->epoll);
	mailbox_close(&reactor->commands);
	channel_release(reactor->channel);
	free(reactor);
}

static int32_t open_descriptors(struct reactor *reactor)
{
	reactor->commands.wakeup = -1;
	reactor->epoll = SYSCALL(epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0, 0);
	if (reactor->epoll < 0)
		return reactor->epoll;
	return mailbox_open(&reactor->commands, reactor->epoll, WAKEUP);
}

struct reactor *reactor_start(struct channel *channel, int32_t *error)
{
	struct reactor *reactor = allocate(sizeof *reactor);

	*error = -ENOMEM;
	if (reactor == NULL)
		return NULL;
	reactor->channel = channel_refer(channel);
	reactor->next_deadline = NEVER;
	*error = open_descriptors(reactor);
	if (*error == 0)
		*error = -pthread_create(&reactor->thread, NULL, run, reactor);
	if (*error == 0)
		return reactor;
	reactor_free(reactor);
	return NULL;
}

static void discard(struct watch *watch)
{
	close_descriptor(watch->descriptor);
	free(watch);
}

static void discard_commands(struct reactor *reactor)
{
	struct letter *letter = mailbox_take(&reactor->commands);

	while (letter != NULL) {
		struct command *command = (struct command *)letter;

		letter = letter->next;
		if (command->watch != NULL)
			discard(command->watch);
		free(command);
	}
}

static void discard_watches(struct watch *watch)
{
	while (watch != NULL) {
		struct watch *next = watch->next;

		discard(watch);
		watch = next;
	}
}

void reactor_stop(struct reactor *reactor)
{
	__atomic_store_n(&reactor->stopping, true, __ATOMIC_RELEASE);
	mailbox_wake(&reactor->commands);
	pthread_join(reactor->thread, NULL);
	discard_commands(reactor);
	for (uint32_t bucket = 0; bucket < BUCKETS; bucket++)
		discard_watches(reactor->buckets[bucket]);
	reactor_free(reactor);
}
