#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection *connections;

struct connection *connection_create(int fd, enum connection_state state, uint32_t guest_port) {
  struct connection *connection = calloc(1, sizeof *connection);
  uint8_t *outgoing = malloc(CONNECTION_BUFFER_SIZE);
  if (!connection || !outgoing) abort();
  connection->fd = fd;
  connection->state = state;
  connection->guest_port = guest_port;
  connection->outgoing = outgoing;
  connection->next = connections;
  connections = connection;
  return connection;
}

struct connection *connection_find(uint32_t host_cid, uint32_t host_port, uint32_t guest_port) {
  for (struct connection *c = connections; c; c = c->next) {
    if (c->state != REQUESTED && c->state != ESTABLISHED) continue;
    if (c->host_cid == host_cid && c->host_port == host_port && c->guest_port == guest_port) return c;
  }
  return NULL;
}

void connections_free_dead(void) {
  for (struct connection **link = &connections; *link;) {
    struct connection *connection = *link;
    if (connection->state != DEAD) {
      link = &connection->next;
      continue;
    }
    *link = connection->next;
    close(connection->fd);
    free(connection->outgoing);
    free(connection);
  }
}

uint32_t connection_credit(const struct connection *connection) {
  uint32_t unread = connection->sent_to_guest - connection->guest_forwarded;
  return connection->guest_buffer_size > unread ? connection->guest_buffer_size - unread : 0;
}

static size_t buffered(const struct connection *connection) {
  return connection->outgoing_end - connection->outgoing_start;
}

void connection_from_guest(struct connection *connection, const uint8_t *bytes, size_t size) {
  if (connection->write_closed) return;
  if (size > CONNECTION_BUFFER_SIZE - buffered(connection)) {
    connection->owes_reset = true;
    return;
  }
  if (size > CONNECTION_BUFFER_SIZE - connection->outgoing_end) {
    memmove(connection->outgoing, connection->outgoing + connection->outgoing_start, buffered(connection));
    connection->outgoing_end -= connection->outgoing_start;
    connection->outgoing_start = 0;
  }
  memcpy(connection->outgoing + connection->outgoing_end, bytes, size);
  connection->outgoing_end += size;
  connection_flush(connection);
}

static void count_forwarded(struct connection *connection, size_t size) {
  connection->outgoing_start += size;
  if (buffered(connection) == 0) connection->outgoing_start = connection->outgoing_end = 0;
  connection->forwarded += size;
  if (connection->forwarded - connection->forwarded_told > CONNECTION_BUFFER_SIZE / 4) connection->owes_credit = true;
}

void connection_flush(struct connection *connection) {
  while (buffered(connection) > 0) {
    const uint8_t *bytes = connection->outgoing + connection->outgoing_start;
    ssize_t sent = send(connection->fd, bytes, buffered(connection), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (sent < 0) {
      // The host has gone without reading to the end, as a peer that closes with data waiting: a reset.
      connection->outgoing_start = connection->outgoing_end = 0;
      if (connection->state == DRAINING) connection->state = DEAD;
      else connection->owes_reset = true;
      return;
    }
    count_forwarded(connection, sent);
  }
  if (connection->state == DRAINING) {
    connection->state = DEAD;
    return;
  }
  if (connection->guest_shutdown & SHUTDOWN_SEND && !connection->write_closed) {
    connection->write_closed = true;
    shutdown(connection->fd, SHUT_WR);
  }
  // The guest has closed: it waits for a reset that says that we have, too.
  if (connection->guest_shutdown == SHUTDOWN_BOTH) connection->owes_reset = true;
}

void connection_shutdown_by_guest(struct connection *connection, uint32_t directions) {
  connection->guest_shutdown |= directions & SHUTDOWN_BOTH;
  if (connection->guest_shutdown & SHUTDOWN_RECEIVE) shutdown(connection->fd, SHUT_RD);
  connection_flush(connection);
}

void connection_reset_by_guest(struct connection *connection) {
  // A guest that closes waits 8 s for us, and then resets: by then a slow reader may not have got all that it sent.
  bool drains = connection->guest_shutdown == SHUTDOWN_BOTH && buffered(connection) > 0;
  connection->state = drains ? DRAINING : DEAD;
}

short connection_events(const struct connection *connection) {
  short events = 0;
  if (connection->state == AWAITING_PREFACE) return POLLIN;
  if (connection->state == DRAINING) return POLLOUT;
  if (connection->state != ESTABLISHED) return 0;
  bool wants_data = !connection->host_ended && !(connection->guest_shutdown & SHUTDOWN_RECEIVE);
  if (wants_data && connection_credit(connection) > 0) events |= POLLIN;
  if (buffered(connection) > 0) events |= POLLOUT;
  return events;
}

void connection_read_preface(struct connection *connection) {
  uint8_t *into = (uint8_t *)&connection->preface + connection->preface_read;
  ssize_t count = read(connection->fd, into, sizeof connection->preface - connection->preface_read);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    connection->state = DEAD;
    return;
  }
  connection->preface_read += count;
  if (connection->preface_read < sizeof connection->preface) return;
  if (memcmp(connection->preface.magic, "VSCK", 4) != 0) {
    connection->state = DEAD;
    return;
  }
  connection->host_cid = connection->preface.from_cid;
  connection->host_port = connection->preface.from_port;
  connection->state = REQUESTED;
  connection->owes_request = true;
}

void connection_host_ended(struct connection *connection) {
  connection->host_ended = true;
  connection->owed_shutdown |= SHUTDOWN_SEND;
}

void connection_hung_up(struct connection *connection) {
  if (connection->state == AWAITING_PREFACE) connection->state = DEAD;
  // Closed both ways, and all that the host sent is read: the host is gone.
  else if (connection->host_ended) connection->owed_shutdown |= SHUTDOWN_BOTH;
}
