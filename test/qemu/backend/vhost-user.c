#include "vhost-user.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "memory.h"

enum request {
  GET_FEATURES = 1,
  SET_FEATURES = 2,
  SET_MEM_TABLE = 5,
  SET_VRING_NUM = 8,
  SET_VRING_ADDR = 9,
  SET_VRING_BASE = 10,
  GET_VRING_BASE = 11,
  SET_VRING_KICK = 12,
  SET_VRING_CALL = 13,
  SET_VRING_ERR = 14,
  GET_PROTOCOL_FEATURES = 15,
  GET_QUEUE_NUM = 17,
  SET_VRING_ENABLE = 18,
  GET_CONFIG = 24,
};

enum { VERSION = 1, FLAG_REPLY = 1 << 2, FLAG_NEED_REPLY = 1 << 3 };
enum { PROTOCOL_REPLY_ACK = 1 << 3, PROTOCOL_CONFIG = 1 << 9 };
enum { MAX_FDS = 8, VRING_INDEX_MASK = 0xff, VRING_NO_FD = 0x100, MAX_QUEUE_SIZE = 32768 };
static const uint64_t FEATURE_VERSION_1 = 1ull << 32, FEATURE_PROTOCOL = 1ull << 30;

struct message {
  uint32_t request;
  uint32_t flags;
  uint32_t size;
  union {
    uint64_t number;
    struct {
      uint32_t index, value;
    } state;
    struct {
      uint32_t index, flags;
      uint64_t descriptors, used, available, log;
    } address;
    struct {
      uint32_t count, padding;
      struct memory_region regions[MAX_FDS];
    } memory;
    struct {
      uint32_t offset, size, flags;
      uint8_t bytes[256];
    } config;
  } body;
} __attribute__((packed));

enum { HEADER_SIZE = offsetof(struct message, body) };

struct virtqueue queues[QUEUE_COUNT];
static uint64_t cid;

void vhost_user_init(uint64_t guest_cid) {
  cid = guest_cid;
  for (int i = 0; i < QUEUE_COUNT; i++) queues[i].kick_fd = queues[i].call_fd = -1;
}

static int read_whole(int fd, void *bytes, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t count = read(fd, (char *)bytes + done, size - done);
    if (count <= 0) return -1;
    done += count;
  }
  return 0;
}

// Reads a message and the descriptors that come with it.
static int receive(int fd, struct message *message, int fds[MAX_FDS], int *fd_count) {
  union {
    char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
    struct cmsghdr align;
  } control;
  struct iovec header = {.iov_base = message, .iov_len = HEADER_SIZE};
  struct msghdr received = {
      .msg_iov = &header, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  if (recvmsg(fd, &received, MSG_CMSG_CLOEXEC) != HEADER_SIZE) return -1;
  *fd_count = 0;
  struct cmsghdr *rights = CMSG_FIRSTHDR(&received);
  if (rights && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
    *fd_count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(rights), *fd_count * sizeof(int));
  }
  if (message->size > sizeof message->body) return -1;
  return read_whole(fd, &message->body, message->size);
}

static int reply(int fd, struct message *message, uint32_t size) {
  message->flags = VERSION | FLAG_REPLY;
  message->size = size;
  return write(fd, message, HEADER_SIZE + size) == (ssize_t)(HEADER_SIZE + size) ? 0 : -1;
}

static struct virtqueue *queue_at(uint64_t index) {
  return index < QUEUE_COUNT ? &queues[index] : NULL;
}

static void replace_fd(int *kept, int fd) {
  if (*kept >= 0) close(*kept);
  *kept = fd;
}

static int set_memory(const struct message *message, const int *fds, int fd_count) {
  if (message->body.memory.count > (uint32_t)fd_count) return -1;
  int result = 0;
  for (uint32_t i = 0; i < message->body.memory.count; i++) {
    struct memory_region region = message->body.memory.regions[i];
    if (memory_map(i, &region, fds[i])) result = -1;
    close(fds[i]);
  }
  return result;
}

static int set_address(const struct message *message) {
  struct virtqueue *queue = queue_at(message->body.address.index);
  if (!queue) return -1;
  queue->descriptors = memory_at_qemu(message->body.address.descriptors, queue->size * sizeof(struct descriptor));
  queue->available = memory_at_qemu(message->body.address.available, 4 + queue->size * 2ull);
  queue->used = memory_at_qemu(message->body.address.used, 4 + queue->size * 8ull);
  return queue->descriptors && queue->available && queue->used ? 0 : -1;
}

static int set_event(const struct message *message, const int *fds, int fd_count) {
  struct virtqueue *queue = queue_at(message->body.number & VRING_INDEX_MASK);
  int fd = message->body.number & VRING_NO_FD || fd_count == 0 ? -1 : fds[0];
  if (!queue) return -1;
  if (message->request == SET_VRING_KICK) replace_fd(&queue->kick_fd, fd);
  else if (message->request == SET_VRING_CALL) replace_fd(&queue->call_fd, fd);
  else if (fd >= 0) close(fd);
  return 0;
}

static int set_state(const struct message *message) {
  struct virtqueue *queue = queue_at(message->body.state.index);
  uint32_t value = message->body.state.value;
  if (!queue) return -1;
  if (message->request == SET_VRING_NUM) {
    if (value == 0 || value > MAX_QUEUE_SIZE) return -1;
    queue->size = value;
  } else if (message->request == SET_VRING_BASE) {
    queue->next_available = value;
  } else {
    queue->enabled = value;
  }
  return 0;
}

static int get_base(int fd, struct message *message) {
  struct virtqueue *queue = queue_at(message->body.state.index);
  if (!queue) return -1;
  queue->enabled = false;
  replace_fd(&queue->kick_fd, -1);
  message->body.state.value = queue->next_available;
  return reply(fd, message, sizeof message->body.state);
}

static int reply_number(int fd, struct message *message, uint64_t number) {
  message->body.number = number;
  return reply(fd, message, sizeof message->body.number);
}

// The configuration space of a vsock device is the guest's CID (virtio 1.2, section 5.10.4).
static int get_config(int fd, struct message *message) {
  uint32_t offset = message->body.config.offset, size = message->body.config.size;
  if (offset > sizeof cid || size > sizeof cid - offset) return -1;
  memcpy(message->body.config.bytes, (const uint8_t *)&cid + offset, size);
  return reply(fd, message, message->size);
}

static int set_features(const struct message *message) {
  // Without protocol features there is no message that enables a queue.
  for (int i = 0; i < QUEUE_COUNT; i++) queues[i].enabled = !(message->body.number & FEATURE_PROTOCOL);
  return 0;
}

int vhost_user_handle(int fd) {
  struct message message;
  int fds[MAX_FDS], fd_count;
  if (receive(fd, &message, fds, &fd_count)) return -1;
  int result = 0;
  switch (message.request) {
    case GET_FEATURES: return reply_number(fd, &message, FEATURE_VERSION_1 | FEATURE_PROTOCOL);
    case GET_PROTOCOL_FEATURES: return reply_number(fd, &message, PROTOCOL_REPLY_ACK | PROTOCOL_CONFIG);
    case GET_QUEUE_NUM: return reply_number(fd, &message, QUEUE_COUNT);
    case GET_VRING_BASE: return get_base(fd, &message);
    case GET_CONFIG: return get_config(fd, &message);
    case SET_FEATURES: result = set_features(&message); break;
    case SET_MEM_TABLE: result = set_memory(&message, fds, fd_count); break;
    case SET_VRING_NUM:
    case SET_VRING_BASE:
    case SET_VRING_ENABLE: result = set_state(&message); break;
    case SET_VRING_ADDR: result = set_address(&message); break;
    case SET_VRING_KICK:
    case SET_VRING_CALL:
    case SET_VRING_ERR: result = set_event(&message, fds, fd_count); break;
    default: break;
  }
  return message.flags & FLAG_NEED_REPLY ? reply_number(fd, &message, result != 0) : result;
}
