// Settings, as the image's builder writes them: a file of `key=value` records, each closed by a NUL, so that values may
// hold anything but NUL (an environment variable may hold a line break).
#pragma once

#include <stddef.h>

struct records {
  char *text;
  size_t length;
};

/// Reads a whole file; no records when there is no such file.
struct records read_records(const char *path);

/// Value of the next record with this key at or after *at, or NULL; moves *at beyond it.
char *next_value(const struct records *records, const char *key, size_t *at);

/// Value of the first record with this key, or `otherwise`.
char *value_of(const struct records *records, const char *key, char *otherwise);

/// A NULL-terminated array of all values of this key, in order: an argv or an environment.
char **values_of(const struct records *records, const char *key);
