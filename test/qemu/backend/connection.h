// Connections between a Unix socket of the host and a vsock address of the guest.
#ifndef CONNECTION_H
#define CONNECTION_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What begins a connection in the folder of Unix sockets (packages/vsock, unixTransport): who connects, and to which CID.
struct preface {
  char magic[4];
  uint32_t from_cid;
  uint32_t from_port;
  uint32_t to_cid;
} __attribute__((packed));

enum connection_state {
  AWAITING_PREFACE,
  REQUESTED,
  ESTABLISHED,
  // The guest has forgotten it, but the host is still to read what the guest had sent before.
  DRAINING,
  // Nothing more to be done but to free it.
  DEAD,
};

struct connection {
  struct connection *next;
  int fd;
  enum connection_state state;
  uint32_t host_cid, host_port, guest_port;
  struct preface preface;
  size_t preface_read;

  // Credit of the guest: what it can still take (virtio 1.2, section 5.10.6.3).
  uint32_t guest_buffer_size, guest_forwarded, sent_to_guest;
  // Bytes of the guest that the host has not taken yet, and how many it has taken in all.
  uint8_t *outgoing;
  size_t outgoing_start, outgoing_end;
  uint32_t forwarded, forwarded_told;

  // Packets that the guest is still to get.
  bool owes_request, owes_response, owes_credit, owes_reset;
  uint32_t owed_shutdown, told_shutdown;
  // Which directions the guest closed, and what of that the host knows.
  uint32_t guest_shutdown;
  bool write_closed;
  bool host_ended;
};

// What a connection buffers for the host, and so the credit that the guest gets.
enum { CONNECTION_BUFFER_SIZE = 256 * 1024 };
enum { SHUTDOWN_RECEIVE = 1, SHUTDOWN_SEND = 2, SHUTDOWN_BOTH = 3 };

extern struct connection *connections;

struct connection *connection_create(int fd, enum connection_state state, uint32_t guest_port);
struct connection *connection_find(uint32_t host_cid, uint32_t host_port, uint32_t guest_port);
void connections_free_dead(void);

// Bytes that the guest has room for.
uint32_t connection_credit(const struct connection *connection);
// Takes bytes from the guest; more than it had credit for end the connection.
void connection_from_guest(struct connection *connection, const uint8_t *bytes, size_t size);
void connection_shutdown_by_guest(struct connection *connection, uint32_t directions);
void connection_reset_by_guest(struct connection *connection);
// Writes what is buffered, as much as the host takes.
void connection_flush(struct connection *connection);

// What to wait for on the connection's socket, and what to do when it happened, other than reading data.
short connection_events(const struct connection *connection);
void connection_read_preface(struct connection *connection);
void connection_host_ended(struct connection *connection);
void connection_hung_up(struct connection *connection);

#endif
