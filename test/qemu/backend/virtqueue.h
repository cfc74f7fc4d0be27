// The device's side of a split virtqueue (virtio 1.2, section 2.7).
#ifndef VIRTQUEUE_H
#define VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { VIRTQUEUE_MAX_SEGMENTS = 64 };

struct descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags;
  uint16_t next;
};

struct virtqueue {
  unsigned size;
  bool enabled;
  struct descriptor *descriptors;
  uint16_t *available;
  uint16_t *used;
  uint16_t next_available;
  // The guest tells us that there are new buffers, and we tell it that some are used.
  int kick_fd;
  int call_fd;
};

// A buffer of the guest's, in as many pieces as it has descriptors.
struct guest_buffer {
  uint16_t head;
  struct iovec segments[VIRTQUEUE_MAX_SEGMENTS];
  int count;
  size_t length;
};

bool virtqueue_has_buffer(const struct virtqueue *queue);

// Takes the next buffer, which must be there; `writable` says which of its descriptors count. A malformed chain gives an
// empty buffer.
void virtqueue_take(struct virtqueue *queue, bool writable, struct guest_buffer *buffer);

// Puts back the buffer taken last as if it had never been taken.
void virtqueue_untake(struct virtqueue *queue);

// Gives a buffer back to the guest, `written` bytes of it filled.
void virtqueue_give(struct virtqueue *queue, uint16_t head, uint32_t written);

// Interrupts the guest unless it said that it does not care.
void virtqueue_notify(struct virtqueue *queue);

#endif
