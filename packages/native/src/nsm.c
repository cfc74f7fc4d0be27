#include "nsm.h"
#include "syscall.h"

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/ioctl.h>
#include <stddef.h>

#define EFD_SEMAPHORE 1 /* Linux, include/uapi/linux/eventfd.h */

/* struct nsm_raw of Linux, include/uapi/linux/nsm.h */
struct nsm_raw {
	struct {
		uint64_t address, length;
	} request, response;
};
#define NSM_IOCTL_RAW _IOWR(0x0A, 0x0, struct nsm_raw)

struct nsm_device {
	struct channel *channel;
	uint64_t id;
	int32_t descriptor;
	int32_t bell; /* an eventfd that counts what the thread has to look at */
	struct lock lock;
	/* Under the lock: */
	bool busy, closing;
	uint8_t *request;
	uint64_t request_id;
	uint32_t request_length;
};

/* 0 and the answer's length, or -errno. */
static int32_t ask(const struct nsm_device *device, uint8_t *response, uint32_t *response_length)
{
	struct nsm_raw raw = {
		.request = {(uint64_t)(uintptr_t)device->request, device->request_length},
		.response = {(uint64_t)(uintptr_t)response, NSM_RESPONSE_MAX_BYTES},
	};
	long result = SYSCALL(ioctl, device->descriptor, NSM_IOCTL_RAW, &raw, 0, 0, 0);

	if (result < 0)
		return result;
	if (raw.response.length > NSM_RESPONSE_MAX_BYTES)
		return -EOVERFLOW;
	*response_length = raw.response.length;
	return 0;
}

static void answer(struct nsm_device *device)
{
	uint64_t request_id = device->request_id;
	struct report *report = report_create(request_id, -ENOMEM);
	uint8_t *response = allocate(NSM_RESPONSE_MAX_BYTES);

	if (report != NULL && response != NULL) {
		report->answer = response;
		report->result = ask(device, response, &report->answer_length);
	}
	if (report != NULL && report->result < 0) {
		report->answer = NULL;
		free(response);
	}
	lock_take(&device->lock);
	wipe(device->request, device->request_length);
	free(device->request);
	device->request = NULL;
	device->busy = false;
	lock_give(&device->lock);
	channel_post(device->channel, report);
}

/* Whether there is more to come. */
static bool serve(struct nsm_device *device)
{
	bool busy, closing;

	lock_take(&device->lock);
	busy = device->busy;
	closing = device->closing;
	lock_give(&device->lock);
	if (busy)
		answer(device);
	return busy || !closing;
}

static void nsm_free(struct nsm_device *device)
{
	if (device->descriptor >= 0)
		SYSCALL(close, device->descriptor, 0, 0, 0, 0, 0);
	if (device->bell >= 0)
		SYSCALL(close, device->bell, 0, 0, 0, 0, 0);
	channel_release(device->channel);
	free(device);
}

static void *run(void *argument)
{
	struct nsm_device *device = argument;
	struct channel *channel = channel_refer(device->channel);
	uint64_t id = device->id;
	uint64_t rung;

	thread_begin("nsm");
	do
		SYSCALL(read, device->bell, &rung, sizeof rung, 0, 0, 0);
	while (serve(device));
	nsm_free(device);
	channel_post(channel, report_create(id, 0));
	channel_release(channel);
	return NULL;
}

static void ring(const struct nsm_device *device)
{
	uint64_t one = 1;

	SYSCALL(write, device->bell, &one, sizeof one, 0, 0, 0);
}

int32_t nsm_request(struct nsm_device *device, uint64_t id, const uint8_t *request, uint32_t length)
{
	uint8_t *copy = allocate(length > 0 ? length : 1);

	if (copy == NULL)
		return -ENOMEM;
	for (uint32_t index = 0; index < length; index++)
		copy[index] = request[index];
	lock_take(&device->lock);
	if (device->busy) {
		lock_give(&device->lock);
		wipe(copy, length);
		free(copy);
		return -EBUSY;
	}
	device->busy = true;
	device->request = copy;
	device->request_length = length;
	device->request_id = id;
	lock_give(&device->lock);
	ring(device);
	return 0;
}

void nsm_close(struct nsm_device *device)
{
	/* Rung under the lock: once it is given back, the thread may be done with the device, and the device be gone. */
	lock_take(&device->lock);
	device->closing = true;
	ring(device);
	lock_give(&device->lock);
}

static int32_t open_descriptors(struct nsm_device *device, const char *path)
{
	device->bell = SYSCALL(eventfd2, 0, EFD_SEMAPHORE | O_CLOEXEC, 0, 0, 0, 0);
	device->descriptor = SYSCALL(openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0, 0, 0);
	return device->descriptor < 0 ? device->descriptor : device->bell < 0 ? device->bell : 0;
}

struct nsm_device *nsm_open(struct channel *channel, uint64_t id, const char *path, int32_t *error)
{
	struct nsm_device *device = allocate(sizeof *device);
	thread_id thread;

	*error = -ENOMEM;
	if (device == NULL)
		return NULL;
	device->channel = channel_refer(channel);
	device->id = id;
	*error = open_descriptors(device, path);
	if (*error == 0)
		*error = -pthread_create(&thread, NULL, run, device);
	if (*error == 0) {
		/* Nobody waits for it: at the end of the environment it may be waiting for the device. */
		pthread_detach(thread);
		return device;
	}
	nsm_free(device);
	return NULL;
}
