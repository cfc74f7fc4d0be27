#include "packets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "connection.h"
#include "vhost-user.h"

enum operation {
  REQUEST = 1,
  RESPONSE = 2,
  RESET = 3,
  SHUTDOWN = 4,
  READ_WRITE = 5,
  CREDIT_UPDATE = 6,
  CREDIT_REQUEST = 7,
};

enum { TYPE_STREAM = 1 };

struct header {
  uint64_t source_cid, destination_cid;
  uint32_t source_port, destination_port;
  uint32_t length;
  uint16_t type, operation;
  uint32_t flags, buffer_size, forwarded;
} __attribute__((packed));

enum { MAX_PACKET_SIZE = 128 * 1024, MAX_REFUSALS = 1024, PACKETS_AT_ONCE = 64 };

static uint32_t cid;
static const char *socket_folder;

// Resets for packets that belong to no connection.
static struct header refusals[MAX_REFUSALS];
static unsigned refusal_count;

void packets_init(uint32_t guest_cid, const char *folder) {
  cid = guest_cid;
  socket_folder = folder;
}

bool packets_guest_has_buffer(void) {
  return virtqueue_has_buffer(&queues[QUEUE_TO_GUEST]);
}

static struct header header_of(struct connection *connection, enum operation operation) {
  connection->forwarded_told = connection->forwarded;
  return (struct header){
      .source_cid = connection->host_cid,
      .destination_cid = cid,
      .source_port = connection->host_port,
      .destination_port = connection->guest_port,
      .type = TYPE_STREAM,
      .operation = operation,
      .buffer_size = CONNECTION_BUFFER_SIZE,
      .forwarded = connection->forwarded,
  };
}

// ---- from the host to the guest

static void copy_into(const struct guest_buffer *buffer, const void *bytes, size_t size) {
  for (int i = 0; i < buffer->count && size > 0; i++) {
    size_t part = size < buffer->segments[i].iov_len ? size : buffer->segments[i].iov_len;
    memcpy(buffer->segments[i].iov_base, bytes, part);
    bytes = (const uint8_t *)bytes + part;
    size -= part;
  }
}

// The part of `buffer` that follows its first `skipped` bytes, at most `size` bytes of it.
static int segments_after(const struct guest_buffer *buffer, size_t skipped, size_t size, struct iovec *segments) {
  int count = 0;
  for (int i = 0; i < buffer->count && size > 0; i++) {
    struct iovec segment = buffer->segments[i];
    if (skipped >= segment.iov_len) {
      skipped -= segment.iov_len;
      continue;
    }
    segment.iov_base = (uint8_t *)segment.iov_base + skipped;
    segment.iov_len -= skipped;
    skipped = 0;
    if (segment.iov_len > size) segment.iov_len = size;
    size -= segment.iov_len;
    segments[count++] = segment;
  }
  return count;
}

// Sends a packet without data. False when the guest has no buffer for it.
static bool send_packet(const struct header *header) {
  struct virtqueue *queue = &queues[QUEUE_TO_GUEST];
  if (!virtqueue_has_buffer(queue)) return false;
  struct guest_buffer buffer;
  virtqueue_take(queue, true, &buffer);
  copy_into(&buffer, header, sizeof *header);
  virtqueue_give(queue, buffer.head, buffer.length < sizeof *header ? buffer.length : sizeof *header);
  virtqueue_notify(queue);
  return true;
}

static bool send_owed(struct connection *connection, enum operation operation, uint32_t flags) {
  struct header header = header_of(connection, operation);
  header.flags = flags;
  return send_packet(&header);
}

static void send_what_is_owed(struct connection *connection) {
  if (connection->owes_reset) {
    // A connection that the guest never heard of is dropped without a word.
    if (connection->owes_request || send_owed(connection, RESET, 0)) connection->state = DEAD;
    return;
  }
  if (connection->owes_request && send_owed(connection, REQUEST, 0)) connection->owes_request = false;
  if (connection->owes_response && send_owed(connection, RESPONSE, 0)) connection->owes_response = false;
  if (connection->owes_credit && send_owed(connection, CREDIT_UPDATE, 0)) connection->owes_credit = false;
  uint32_t shutdown = connection->owed_shutdown | connection->told_shutdown;
  if (shutdown != connection->told_shutdown && send_owed(connection, SHUTDOWN, shutdown)) {
    connection->told_shutdown = shutdown;
  }
}

void packets_to_guest(void) {
  while (refusal_count > 0 && send_packet(&refusals[refusal_count - 1])) refusal_count--;
  for (struct connection *c = connections; c; c = c->next) {
    if (c->state == REQUESTED || c->state == ESTABLISHED) send_what_is_owed(c);
  }
}

// One packet of data. False when there is nothing more to carry for now.
static bool carry_packet(struct connection *connection) {
  struct virtqueue *queue = &queues[QUEUE_TO_GUEST];
  uint32_t credit = connection_credit(connection);
  if (credit == 0 || !virtqueue_has_buffer(queue)) return false;
  struct guest_buffer buffer;
  virtqueue_take(queue, true, &buffer);
  struct iovec segments[VIRTQUEUE_MAX_SEGMENTS];
  int count = segments_after(&buffer, sizeof(struct header), credit, segments);
  ssize_t size = readv(connection->fd, segments, count);
  if (size <= 0) {
    bool later = size < 0 && (errno == EAGAIN || errno == EINTR);
    virtqueue_untake(queue);
    if (size == 0) connection_host_ended(connection);
    else if (!later) connection->owes_reset = true;
    return false;
  }
  struct header header = header_of(connection, READ_WRITE);
  header.length = size;
  copy_into(&buffer, &header, sizeof header);
  connection->sent_to_guest += size;
  virtqueue_give(queue, buffer.head, sizeof header + size);
  return true;
}

void packets_carry_data(struct connection *connection) {
  int carried = 0;
  while (carried < PACKETS_AT_ONCE && carry_packet(connection)) carried++;
  if (carried > 0) virtqueue_notify(&queues[QUEUE_TO_GUEST]);
}

// ---- from the guest to the host

static void refuse(const struct header *packet) {
  refusals[refusal_count++] = (struct header){
      .source_cid = packet->destination_cid,
      .destination_cid = packet->source_cid,
      .source_port = packet->destination_port,
      .destination_port = packet->source_port,
      .type = packet->type,
      .operation = RESET,
  };
}

// Connects to the host's listener on the address that the guest dialled, and says who calls.
static int dial(const struct header *packet) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/%llu.%u", socket_folder,
                        (unsigned long long)packet->destination_cid, packet->destination_port);
  if (length >= (int)sizeof address.sun_path) return -1;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  struct preface preface = {
      .magic = "VSCK", .from_cid = cid, .from_port = packet->source_port, .to_cid = packet->destination_cid};
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
      send(fd, &preface, sizeof preface, MSG_NOSIGNAL) == sizeof preface) {
    return fd;
  }
  close(fd);
  return -1;
}

static void open_for_guest(const struct header *packet) {
  int fd = packet->type == TYPE_STREAM ? dial(packet) : -1;
  if (fd < 0) {
    refuse(packet);
    return;
  }
  struct connection *connection = connection_create(fd, ESTABLISHED, packet->source_port);
  connection->host_cid = packet->destination_cid;
  connection->host_port = packet->destination_port;
  connection->guest_buffer_size = packet->buffer_size;
  connection->guest_forwarded = packet->forwarded;
  connection->owes_response = true;
}

static void carry_out(const struct header *packet, const uint8_t *bytes) {
  struct connection *connection =
      connection_find(packet->destination_cid, packet->destination_port, packet->source_port);
  if (!connection) {
    if (packet->operation == REQUEST) open_for_guest(packet);
    else if (packet->operation != RESET) refuse(packet);
    return;
  }
  connection->guest_buffer_size = packet->buffer_size;
  connection->guest_forwarded = packet->forwarded;
  switch (packet->operation) {
    case RESPONSE: connection->state = ESTABLISHED; break;
    case RESET: connection_reset_by_guest(connection); break;
    case SHUTDOWN: connection_shutdown_by_guest(connection, packet->flags); break;
    case READ_WRITE: connection_from_guest(connection, bytes, packet->length); break;
    case CREDIT_REQUEST: connection->owes_credit = true; break;
    default: break;
  }
}

static size_t copy_from(const struct guest_buffer *buffer, uint8_t *bytes, size_t room) {
  size_t copied = 0;
  for (int i = 0; i < buffer->count; i++) {
    size_t part = buffer->segments[i].iov_len;
    if (part > room - copied) part = room - copied;
    memcpy(bytes + copied, buffer->segments[i].iov_base, part);
    copied += part;
  }
  return copied;
}

void packets_from_guest(void) {
  static uint8_t packet[MAX_PACKET_SIZE];
  struct virtqueue *queue = &queues[QUEUE_FROM_GUEST];
  bool any = false;
  // With no room for a refusal the packet waits where it is.
  while (refusal_count < MAX_REFUSALS && virtqueue_has_buffer(queue)) {
    struct guest_buffer buffer;
    virtqueue_take(queue, false, &buffer);
    size_t size = copy_from(&buffer, packet, sizeof packet);
    virtqueue_give(queue, buffer.head, 0);
    any = true;
    struct header header;
    if (size < sizeof header) continue;
    memcpy(&header, packet, sizeof header);
    if (header.length <= size - sizeof header) carry_out(&header, packet + sizeof header);
  }
  if (any) virtqueue_notify(queue);
}
