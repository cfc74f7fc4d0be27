/* The two ends of a relay: clients of a Unix socket, and the TCP server that the relay leads to. A thread for each
 * connection and blocking calls: as little of its own as can be, the same for every relay.
 *
 * Prints the server's port, then reads lines "<path or -> <preface in hex or -> <mode> <connections> <amount>" and prints
 * "<ms> <median round trip in us>" for each. The path "-" is the server itself, without a relay.
 *   bulk: <amount> MiB in all, one way.   ping: <amount> round trips of 64 bytes on each connection.
 *   open: <amount> connections in all, <connections> at a time, of one round trip each. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 65536, MESSAGE = 64, MAX_CONNECTIONS = 256 };

struct job {
  char path[108], mode[8];
  unsigned char preface[64];
  size_t preface_length;
  long count; /* of this thread: bytes, round trips or connections */
  double *times;
  int failed;
};

static struct sockaddr_in server = {.sin_family = AF_INET};

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int send_all(int fd, const void *bytes, size_t length) {
  for (const char *at = bytes; length > 0;) {
    ssize_t n = write(fd, at, length);
    if (n <= 0) return -1;
    at += n;
    length -= n;
  }
  return 0;
}

static int receive_all(int fd, char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = read(fd, bytes, length);
    if (n <= 0) return -1;
    bytes += n;
    length -= n;
  }
  return 0;
}

/* The first byte says what the client wants: 's', all is thrown away; else it is sent back. */
static void *serve(void *argument) {
  int fd = (int)(long)argument;
  char *block = malloc(BLOCK);
  ssize_t n = read(fd, block, BLOCK);
  int is_sink = n > 0 && block[0] == 's';
  for (; n > 0; n = read(fd, block, BLOCK))
    if (!is_sink && send_all(fd, block, n) < 0) break;
  free(block);
  close(fd);
  return NULL;
}

static void *accept_all(void *argument) {
  int listener = (int)(long)argument, one = 1;
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    pthread_t thread;
    if (fd < 0) continue;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (pthread_create(&thread, NULL, serve, (void *)(long)fd) != 0) close(fd);
    else pthread_detach(thread);
  }
  return NULL;
}

static int open_connection(const struct job *job) {
  int is_direct = strcmp(job->path, "-") == 0, one = 1;
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  strcpy(un.sun_path, job->path);
  int fd = socket(is_direct ? AF_INET : AF_UNIX, SOCK_STREAM, 0);
  int status = is_direct ? connect(fd, (void *)&server, sizeof server) : connect(fd, (void *)&un, sizeof un);
  if (is_direct) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (status == 0 && send_all(fd, job->preface, job->preface_length) == 0) return fd;
  close(fd);
  return -1;
}

static int bulk(struct job *job) {
  char *block = calloc(1, BLOCK), end;
  int fd = open_connection(job), failed = fd < 0;
  block[0] = 's';
  for (long left = job->count; left > 0 && !failed; left -= BLOCK) failed = send_all(fd, block, BLOCK) < 0;
  shutdown(fd, SHUT_WR);
  failed = failed || read(fd, &end, 1) != 0;
  free(block);
  close(fd);
  return failed;
}

static int round_trip(int fd) {
  char message[MESSAGE] = "e";
  return fd < 0 || send_all(fd, message, MESSAGE) < 0 || receive_all(fd, message, MESSAGE) < 0;
}

static int ping(struct job *job) {
  int fd = open_connection(job), failed = round_trip(fd);
  for (long index = 0; index < job->count && !failed; index += 1) {
    double start = now_us();
    failed = round_trip(fd);
    job->times[index] = now_us() - start;
  }
  close(fd);
  return failed;
}

static int open_many(struct job *job) {
  for (long index = 0; index < job->count; index += 1) {
    double start = now_us();
    int fd = open_connection(job), failed = round_trip(fd);
    close(fd);
    if (failed) return 1;
    job->times[index] = now_us() - start;
  }
  return 0;
}

static void *work(void *argument) {
  struct job *job = argument;
  if (strcmp(job->mode, "bulk") == 0) job->failed = bulk(job);
  else job->failed = strcmp(job->mode, "ping") == 0 ? ping(job) : open_many(job);
  return NULL;
}

static int ascending(const void *left, const void *right) {
  double difference = *(const double *)left - *(const double *)right;
  return (difference > 0) - (difference < 0);
}

static void run(const struct job *pattern, int connections, long amount) {
  static struct job jobs[MAX_CONNECTIONS];
  pthread_t threads[MAX_CONNECTIONS];
  int is_bulk = strcmp(pattern->mode, "bulk") == 0, is_ping = strcmp(pattern->mode, "ping") == 0, failed = 0;
  long each = is_ping ? amount : (is_bulk ? amount << 20 : amount) / connections;
  double *times = is_bulk ? NULL : malloc(each * connections * sizeof *times);
  double start = now_us();
  for (int index = 0; index < connections; index += 1) {
    jobs[index] = *pattern;
    jobs[index].count = each;
    jobs[index].times = is_bulk ? NULL : times + each * index;
    pthread_create(&threads[index], NULL, work, &jobs[index]);
  }
  for (int index = 0; index < connections; index += 1) {
    pthread_join(threads[index], NULL);
    failed |= jobs[index].failed;
  }
  double ms = (now_us() - start) / 1e3;
  if (!is_bulk) qsort(times, each * connections, sizeof *times, ascending);
  if (failed) printf("failed\n");
  else printf("%f %f\n", ms, is_bulk ? 0 : times[each * connections / 2]);
  fflush(stdout);
  free(times);
}

int main(void) {
  socklen_t length = sizeof server;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  pthread_t thread;
  signal(SIGPIPE, SIG_IGN);
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (void *)&server, sizeof server) < 0 || listen(listener, 1024) < 0) return 1;
  getsockname(listener, (void *)&server, &length);
  printf("%d\n", ntohs(server.sin_port));
  fflush(stdout);
  pthread_create(&thread, NULL, accept_all, (void *)(long)listener);
  for (;;) {
    struct job job = {0};
    char hex[129];
    int connections;
    long amount;
    if (scanf("%107s %128s %7s %d %ld", job.path, hex, job.mode, &connections, &amount) != 5) return 0;
    if (connections < 1 || connections > MAX_CONNECTIONS) return 1;
    for (const char *at = hex; sscanf(at, "%2hhx", &job.preface[job.preface_length]) == 1 && *at != '-'; at += 2)
      job.preface_length += 1;
    run(&job, connections, amount);
  }
}
