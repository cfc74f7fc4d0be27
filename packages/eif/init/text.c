#include "text.h"

void *memcpy(void *to, const void *from, size_t length) {
  char *target = to;
  const char *source = from;
  for (size_t index = 0; index < length; index += 1) target[index] = source[index];
  return to;
}

void *memset(void *to, int byte, size_t length) {
  volatile char *target = to; // volatile: zeroing a secret must not be optimised away
  for (size_t index = 0; index < length; index += 1) target[index] = (char)byte;
  return to;
}

int memcmp(const void *left, const void *right, size_t length) {
  const unsigned char *a = left;
  const unsigned char *b = right;
  for (size_t index = 0; index < length; index += 1) {
    if (a[index] != b[index]) return a[index] < b[index] ? -1 : 1;
  }
  return 0;
}

size_t text_length(const char *text) {
  size_t length = 0;
  while (text[length] != '\0') length += 1;
  return length;
}

void append(struct line *line, const char *text) {
  for (; *text != '\0' && line->length + 1 < sizeof line->text; text += 1) line->text[line->length++] = *text;
  line->text[line->length] = '\0';
}

void append_number(struct line *line, long number) {
  char digits[24];
  size_t at = sizeof digits;
  unsigned long rest = number < 0 ? -(unsigned long)number : (unsigned long)number;
  digits[--at] = '\0';
  do {
    digits[--at] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (number < 0) digits[--at] = '-';
  append(line, digits + at);
}

long parse_number(const char *text) {
  unsigned long number = 0;
  if (*text == '\0') return -1;
  for (; *text != '\0'; text += 1) {
    if (*text < '0' || *text > '9') return -1;
    number = number * 10 + (unsigned long)(*text - '0');
    if (number > 0xffffffffUL) return -1;
  }
  return (long)number;
}
