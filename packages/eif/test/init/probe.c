// What the tests of the init start as the application: it does what its first argument says. Linked statically.
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void print_file(const char *path) {
  char text[8192];
  FILE *file = fopen(path, "r");
  size_t length = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
  text[length] = '\0';
  printf("%s", text);
  if (file != NULL) fclose(file);
}

static void describe(int argc, char **argv, char **env) {
  char cwd[4096];
  gid_t groups[64];
  struct rlimit files;
  for (int index = 0; index < argc; index += 1) printf("arg=%s\n", argv[index]);
  for (; *env != NULL; env += 1) printf("env=%s\n", *env);
  printf("cwd=%s\nuid=%d\ngid=%d\n", getcwd(cwd, sizeof cwd), (int)getuid(), (int)getgid());
  int count = getgroups(64, groups);
  for (int index = 0; index < count; index += 1) printf("group=%d\n", (int)groups[index]);
  getrlimit(RLIMIT_NOFILE, &files);
  printf("files=%ld/%ld\nsession=%d\n", (long)files.rlim_cur, (long)files.rlim_max, getsid(0) == getpid());
  sigset_t blocked;
  sigprocmask(SIG_SETMASK, NULL, &blocked);
  for (int signal = 1; signal < 32; signal += 1) {
    if (sigismember(&blocked, signal)) printf("blocked=%d\n", signal);
  }
  struct stat status;
  for (const char *const *path = (const char *const[]){"/tmp", "/run", "/dev/shm", "/app.conf", "/boot.conf", NULL}; *path; path += 1) {
    if (stat(*path, &status) == 0) printf("mode %s=%o\n", *path, status.st_mode & 07777);
  }
  printf("lo=");
  print_file("/sys/class/net/lo/flags");
  print_file("/proc/mounts");
}

static volatile int got;
static void remember(int signal) { got = signal; }

/// Tells process 1 to pass signals on to it, and says which came.
static void take_signals(void) {
  for (const int *signal = (const int[]){SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, 0}; *signal != 0; signal += 1) {
    struct sigaction action = {.sa_handler = remember};
    sigset_t blocked;
    sigset_t before;
    sigaction(*signal, &action, NULL);
    sigfillset(&blocked);
    sigprocmask(SIG_SETMASK, &blocked, &before);
    kill(1, *signal);
    sigdelset(&blocked, *signal);
    sigsuspend(&blocked);
    sigprocmask(SIG_SETMASK, &before, NULL);
    printf("signal=%d\n", got);
  }
}

/// Leaves grandchildren that end at once, and counts the dead that nobody has reaped.
static void leave_orphans(void) {
  for (int index = 0; index < 20; index += 1) {
    pid_t child = fork();
    if (child == 0) {
      if (fork() == 0) {
        while (getppid() != 1) usleep(1000);
        _exit(index);
      }
      _exit(0);
    }
    waitpid(child, NULL, 0);
  }
  int zombies = 1;
  for (int attempt = 0; attempt < 2000 && zombies != 0; attempt += 1) {
    usleep(5000);
    zombies = 0;
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; (entry = readdir(processes)) != NULL;) {
      char path[300];
      char state = ' ';
      snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
      FILE *file = entry->d_name[0] >= '0' && entry->d_name[0] <= '9' ? fopen(path, "r") : NULL;
      if (file == NULL) continue;
      if (fscanf(file, "%*d (%*[^)]) %c", &state) == 1 && (state == 'Z' || atoi(entry->d_name) > getpid())) zombies += 1;
      fclose(file);
    }
    closedir(processes);
  }
  printf("zombies=%d\n", zombies);
}

/// Leaves a process that takes SIGTERM in its own time.
static void leave_running(void) {
  int ready[2];
  if (pipe(ready) != 0) abort();
  if (fork() == 0) {
    struct sigaction action = {.sa_handler = remember};
    sigaction(SIGTERM, &action, NULL);
    if (write(ready[1], "x", 1) != 1) abort();
    while (got == 0) pause();
    printf("left over got=%d\n", got);
    fflush(stdout);
    _exit(0);
  }
  char byte;
  if (read(ready[0], &byte, 1) != 1) abort();
}

int main(int argc, char **argv, char **env) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "describe") == 0) describe(argc, argv, env);
  if (strcmp(what, "exit") == 0) return atoi(argv[2]);
  if (strcmp(what, "die") == 0) kill(getpid(), atoi(argv[2]));
  if (strcmp(what, "signals") == 0) take_signals();
  if (strcmp(what, "orphans") == 0) leave_orphans();
  if (strcmp(what, "leave") == 0) leave_running();
  return 0;
}
