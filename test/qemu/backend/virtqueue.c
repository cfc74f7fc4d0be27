#include "virtqueue.h"

#include <unistd.h>

#include "memory.h"

enum { DESCRIPTOR_NEXT = 1, DESCRIPTOR_WRITE = 2, AVAILABLE_NO_INTERRUPT = 1 };

// Both rings begin with two 16-bit words: flags and a free-running index.
static uint16_t ring_index(const uint16_t *ring) {
  return __atomic_load_n(&ring[1], __ATOMIC_ACQUIRE);
}

bool virtqueue_has_buffer(const struct virtqueue *queue) {
  if (!queue->enabled || !queue->size || !queue->descriptors || !queue->available || !queue->used) return false;
  return ring_index(queue->available) != queue->next_available;
}

void virtqueue_take(struct virtqueue *queue, bool writable, struct guest_buffer *buffer) {
  buffer->head = queue->available[2 + queue->next_available % queue->size];
  buffer->count = 0;
  buffer->length = 0;
  queue->next_available++;

  uint16_t index = buffer->head;
  // No chain is longer than the queue: one that is runs in a circle.
  for (unsigned steps = 0; steps < queue->size && index < queue->size; steps++) {
    struct descriptor descriptor = queue->descriptors[index];
    void *bytes = memory_at_guest(descriptor.address, descriptor.length);
    bool counts = !(descriptor.flags & DESCRIPTOR_WRITE) == !writable;
    if (bytes && counts && buffer->count < VIRTQUEUE_MAX_SEGMENTS) {
      buffer->segments[buffer->count++] = (struct iovec){.iov_base = bytes, .iov_len = descriptor.length};
      buffer->length += descriptor.length;
    }
    if (!(descriptor.flags & DESCRIPTOR_NEXT)) return;
    index = descriptor.next;
  }
  buffer->count = 0;
  buffer->length = 0;
}

void virtqueue_untake(struct virtqueue *queue) {
  queue->next_available--;
}

void virtqueue_give(struct virtqueue *queue, uint16_t head, uint32_t written) {
  uint16_t index = queue->used[1];
  uint32_t *element = (uint32_t *)(queue->used + 2) + 2 * (index % queue->size);
  element[0] = head;
  element[1] = written;
  __atomic_store_n(&queue->used[1], (uint16_t)(index + 1), __ATOMIC_RELEASE);
}

void virtqueue_notify(struct virtqueue *queue) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (queue->available[0] & AVAILABLE_NO_INTERRUPT || queue->call_fd < 0) return;
  uint64_t one = 1;
  // The counter of an eventfd is full only when the guest has been interrupted long since.
  (void)!write(queue->call_fd, &one, sizeof one);
}
