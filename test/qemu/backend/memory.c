#include "memory.h"

#include <sys/mman.h>

enum { MAX_REGIONS = 16 };

static struct {
  struct memory_region region;
  uint8_t *mapping;
} mapped[MAX_REGIONS];
static unsigned mapped_count;

static uint64_t mapping_size(const struct memory_region *region) {
  return region->size + region->file_offset;
}

static void unmap_all(void) {
  for (unsigned i = 0; i < mapped_count; i++) munmap(mapped[i].mapping, mapping_size(&mapped[i].region));
  mapped_count = 0;
}

int memory_map(unsigned index, const struct memory_region *region, int fd) {
  if (index == 0) unmap_all();
  if (index != mapped_count || index >= MAX_REGIONS) return -1;
  void *mapping = mmap(NULL, mapping_size(region), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapping == MAP_FAILED) return -1;
  mapped[index].region = *region;
  mapped[index].mapping = mapping;
  mapped_count = index + 1;
  return 0;
}

static uint8_t *within(unsigned i, uint64_t start, uint64_t address, uint64_t size) {
  const struct memory_region *region = &mapped[i].region;
  if (address < start || size > region->size || address - start > region->size - size) return NULL;
  return mapped[i].mapping + region->file_offset + (address - start);
}

void *memory_at_guest(uint64_t address, uint64_t size) {
  for (unsigned i = 0; i < mapped_count; i++) {
    uint8_t *found = within(i, mapped[i].region.guest_address, address, size);
    if (found) return found;
  }
  return NULL;
}

void *memory_at_qemu(uint64_t address, uint64_t size) {
  for (unsigned i = 0; i < mapped_count; i++) {
    uint8_t *found = within(i, mapped[i].region.qemu_address, address, size);
    if (found) return found;
  }
  return NULL;
}
