#include "records.h"

#include "console.h"
#include "kernel.h"
#include "syscall.h"
#include "text.h"

static void *allocate(size_t length) {
  long at = syscall(SYS_mmap, 0, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at < 0 && at > -4096) end_with_error("mmap", at);
  return (void *)at;
}

struct records read_records(const char *path) {
  struct records records = {0, 0};
  long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd == -ENOENT) return records;
  if (fd < 0) end_with_error(path, fd);
  long size = syscall(SYS_lseek, fd, 0, SEEK_END);
  if (size < 0) end_with_error(path, size);
  syscall(SYS_lseek, fd, 0, 0);
  records.text = allocate((size_t)size + 1); // fresh pages are zero: a last record without its NUL ends here
  while (records.length < (size_t)size) {
    long count = syscall(SYS_read, fd, records.text + records.length, (size_t)size - records.length);
    if (count <= 0) end_with_error(path, count);
    records.length += (size_t)count;
  }
  syscall(SYS_close, fd);
  return records;
}

char *next_value(const struct records *records, const char *key, size_t *at) {
  size_t key_length = text_length(key);
  while (*at < records->length) {
    char *record = records->text + *at;
    size_t length = text_length(record);
    *at += length + 1;
    if (length > key_length && record[key_length] == '=' && memcmp(record, key, key_length) == 0) {
      return record + key_length + 1;
    }
  }
  return NULL;
}

char *value_of(const struct records *records, const char *key, char *otherwise) {
  size_t at = 0;
  char *value = next_value(records, key, &at);
  return value == NULL ? otherwise : value;
}

char **values_of(const struct records *records, const char *key) {
  size_t count = 0;
  for (size_t at = 0; next_value(records, key, &at) != NULL;) count += 1;
  char **values = allocate((count + 1) * sizeof *values);
  size_t at = 0;
  for (size_t index = 0; index < count; index += 1) values[index] = next_value(records, key, &at);
  return values;
}
