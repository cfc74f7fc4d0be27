/*
 * Descriptors that JavaScript knows by their number alone. A worker may be stopped anywhere, also between being told of a
 * descriptor and handing it on; whatever is loose then is closed at the end of its environment.
 */
#ifndef NITRO_ENCLAVES_LOOSE_H
#define NITRO_ENCLAVES_LOOSE_H

#include "thread.h"

struct loose;

void loose_add(struct loose **list, int32_t descriptor);
/* It is somebody's now: of a handle of Node's, of the epoll thread, or closed. */
void loose_remove(struct loose **list, int64_t descriptor);
void loose_close_all(struct loose **list);

#endif
