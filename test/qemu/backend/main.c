// The host's side of the guest's vsock device, as a vhost-user back end for QEMU. The addresses of the host are Unix
// sockets in a folder, as packages/vsock's unixTransport has them:
//   the guest connects to (CID, port)  -> we connect to FOLDER/<cid>.<port>
//   somebody of the host connects to FOLDER/<guest CID>.<port> -> we connect to that port of the guest
// A guest does not say which ports it listens on, so those that can be reached from the host are named at the start.
// Half-close, credit and resets as between two kernels. For tests: not written to withstand its own QEMU.
#define _GNU_SOURCE

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "connection.h"
#include "packets.h"
#include "vhost-user.h"

enum { MAX_PORTS = 16, FIXED_FDS = 3 };

static struct {
  uint32_t port;
  int fd;
} listeners[MAX_PORTS];
static int listener_count;

static int listen_on(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (strlen(path) >= sizeof address.sun_path) {
    fprintf(stderr, "%s: longer than the path of a Unix socket may be\n", path);
    exit(2);
  }
  strcpy(address.sun_path, path);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 511)) {
    perror(path);
    exit(1);
  }
  return fd;
}

static void listen_for_port(const char *folder, uint32_t cid, uint32_t port) {
  char path[256];
  if (listener_count == MAX_PORTS) exit(2);
  snprintf(path, sizeof path, "%s/%u.%u", folder, cid, port);
  int fd = listen_on(path);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  listeners[listener_count].port = port;
  listeners[listener_count++].fd = fd;
}

static void accept_all(int listener) {
  for (;;) {
    int fd = accept4(listeners[listener].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    connection_create(fd, AWAITING_PREFACE, listeners[listener].port);
  }
}

static void handle_connection(struct connection *connection, short events) {
  if (connection->state == AWAITING_PREFACE) {
    if (events & POLLIN) connection_read_preface(connection);
    else if (events) connection_hung_up(connection);
    return;
  }
  if (connection->state == DRAINING) {
    connection_flush(connection);
    return;
  }
  if (events & POLLOUT) connection_flush(connection);
  if (events & POLLIN) packets_carry_data(connection);
  if (events & POLLERR) connection->owes_reset = true;
  if (events & POLLHUP) connection_hung_up(connection);
}

static void clear_event(const struct pollfd *event) {
  uint64_t count;
  if (event->revents & POLLIN) (void)!read(event->fd, &count, sizeof count);
}

// What the loop waits for: the fixed descriptors, the listeners, the connections, in this order.
static struct pollfd *events;
static struct connection **connection_of;
static size_t capacity;

static size_t collect(int control) {
  size_t count = FIXED_FDS + listener_count;
  for (struct connection *c = connections; c; c = c->next) count++;
  if (count > capacity) {
    capacity = count * 2;
    events = realloc(events, capacity * sizeof *events);
    connection_of = realloc(connection_of, capacity * sizeof(struct connection *));
    if (!events || !connection_of) abort();
  }
  bool room = packets_guest_has_buffer();
  events[0] = (struct pollfd){.fd = control, .events = POLLIN};
  events[1] = (struct pollfd){.fd = queues[QUEUE_TO_GUEST].kick_fd, .events = POLLIN};
  events[2] = (struct pollfd){.fd = queues[QUEUE_FROM_GUEST].kick_fd, .events = POLLIN};
  size_t next = FIXED_FDS;
  // Whoever calls before the guest's driver is up waits in the listener's queue.
  for (int i = 0; i < listener_count; i++) {
    events[next++] = (struct pollfd){.fd = room ? listeners[i].fd : -1, .events = POLLIN};
  }
  for (struct connection *c = connections; c; c = c->next) {
    short wanted = connection_events(c);
    if (!room && c->state == ESTABLISHED) wanted &= ~POLLIN;
    // A hang-up is reported for ever, wanted or not; once the guest knows of it there is nothing to hear but silence.
    bool deaf = c->told_shutdown == SHUTDOWN_BOTH || c->owes_reset || c->owed_shutdown == SHUTDOWN_BOTH;
    bool waits_for_credit = wanted == 0 && !c->host_ended;
    connection_of[next] = c;
    events[next++] = (struct pollfd){.fd = (deaf && !wanted) || waits_for_credit ? -1 : c->fd, .events = wanted};
  }
  return next;
}

static int serve(int control) {
  for (;;) {
    packets_to_guest();
    connections_free_dead();
    size_t count = collect(control);
    if (poll(events, count, -1) < 0) return 1;
    clear_event(&events[1]);
    clear_event(&events[2]);
    if (events[0].revents && vhost_user_handle(control)) return 0;
    packets_from_guest();
    for (int i = 0; i < listener_count; i++) {
      if (events[FIXED_FDS + i].revents & POLLIN) accept_all(i);
    }
    for (size_t i = FIXED_FDS + listener_count; i < count; i++) {
      if (events[i].revents && connection_of[i]->state != DEAD) handle_connection(connection_of[i], events[i].revents);
    }
  }
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: %s CONTROL_SOCKET FOLDER GUEST_CID [GUEST_PORT ...]\n", argv[0]);
    return 2;
  }
  const char *control_path = argv[1], *folder = argv[2];
  uint32_t cid = strtoul(argv[3], NULL, 10);
  signal(SIGPIPE, SIG_IGN);
  vhost_user_init(cid);
  packets_init(cid, folder);
  for (int i = 4; i < argc; i++) listen_for_port(folder, cid, strtoul(argv[i], NULL, 10));
  int waiting = listen_on(control_path);
  int control = accept(waiting, NULL, NULL);
  close(waiting);
  return control < 0 ? 1 : serve(control);
}
