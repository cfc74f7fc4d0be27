// The guest's memory, shared with us by QEMU as files to map.
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct memory_region {
  uint64_t guest_address;
  uint64_t size;
  // Where QEMU itself has the region mapped: the addresses of virtqueues are given in these.
  uint64_t qemu_address;
  uint64_t file_offset;
};

// Maps region `index` of `count` from `fd`. Replaces everything mapped before when `index` is 0.
int memory_map(unsigned index, const struct memory_region *region, int fd);

// A pointer to `size` bytes at a guest's (or at QEMU's) address, or NULL unless all of them are in one region.
void *memory_at_guest(uint64_t address, uint64_t size);
void *memory_at_qemu(uint64_t address, uint64_t size);

#endif
