// Packets between the guest's driver and the connections (virtio 1.2, section 5.10.6).
#ifndef PACKETS_H
#define PACKETS_H

#include <stdbool.h>
#include <stdint.h>

struct connection;

// `folder` is where the Unix sockets of all addresses are: <cid>.<port>.
void packets_init(uint32_t guest_cid, const char *folder);

// Carries out everything that the guest has sent.
void packets_from_guest(void);

// Sends what is owed, as far as the guest has buffers for it.
void packets_to_guest(void);

// Reads from the connection's socket into the guest's buffers, as much as the guest has credit and buffers for.
void packets_carry_data(struct connection *connection);

bool packets_guest_has_buffer(void);

#endif
