// What a C library's string.h would give.
#pragma once

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);
int memcmp(const void *left, const void *right, size_t length);
size_t text_length(const char *text);

/// A line under construction; what does not fit is cut.
struct line {
  char text[512];
  size_t length;
};
void append(struct line *line, const char *text);
void append_number(struct line *line, long number);
/// Decimal number up to 2^32 - 1, or -1.
long parse_number(const char *text);
