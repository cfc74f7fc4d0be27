// The control channel to QEMU: docs/interop/vhost-user.rst of QEMU, the part that a vsock device needs.
#ifndef VHOST_USER_H
#define VHOST_USER_H

#include <stdint.h>

#include "virtqueue.h"

// virtio 1.2, section 5.10.2.
enum { QUEUE_TO_GUEST, QUEUE_FROM_GUEST, QUEUE_EVENTS, QUEUE_COUNT };

extern struct virtqueue queues[QUEUE_COUNT];

void vhost_user_init(uint64_t guest_cid);

// Handles one message that is waiting on `fd`. Returns 0, or -1 when QEMU is gone or says what cannot be understood.
int vhost_user_handle(int fd);

#endif
