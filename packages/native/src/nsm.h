/* The NSM device, each with a thread of its own: the driver may wait 120 s for an answer, and cannot be interrupted. */
#ifndef NITRO_ENCLAVES_NSM_H
#define NITRO_ENCLAVES_NSM_H

#include "channel.h"

#define NSM_REQUEST_MAX_BYTES 0x1000
#define NSM_RESPONSE_MAX_BYTES 0x3000

struct nsm_device;

/* NULL, with -errno in `error`, when it does not open. */
struct nsm_device *nsm_open(struct channel *channel, uint64_t id, const char *path, int32_t *error);
/* 0, or -EBUSY while another request is under way. The answer is reported under `id`. */
int32_t nsm_request(struct nsm_device *device, uint64_t id, const uint8_t *request, uint32_t length);
/* `device` is its thread's from then on: closed, reported and freed when the request under way is answered. */
void nsm_close(struct nsm_device *device);

#endif
