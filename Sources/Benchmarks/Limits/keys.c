// The limit of `Benchmarks keys`: what the kernel takes for a look at key directories, with nothing thought about it.
//
//   keys KEYS RUNS status|contents
//
// For each KEYS/INSTANCE/NAME: opened without links, listed, each entry's status; the same for authorized_clients/.
// `contents` reads every file too, by a descriptor that was held before it was opened. Prints the median in microseconds.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int reads;
static long seen;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int below(int folder, const char *name, int flags) {
  struct open_how how = {
      .flags = (uint64_t)(flags | O_CLOEXEC),
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
  };
  int fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
  if (fd < 0) die(name);
  return fd;
}

static void contents(int folder, const char *name) {
  char path[32], bytes[4096];
  int held = below(folder, name, O_PATH);
  struct stat status;
  if (fstat(held, &status) != 0) die(name);
  snprintf(path, sizeof path, "/proc/self/fd/%d", held);
  int file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (file < 0) die(name);
  while (read(file, bytes, sizeof bytes) > 0) seen++;
  close(file);
  close(held);
}

static int is_dots(const char *name) { return !strcmp(name, ".") || !strcmp(name, ".."); }

// Lists a folder; `inner` is called for each entry that is a folder.
static void look(int folder, int depth) {
  char buffer[1 << 15];
  struct stat status;
  if (fstat(folder, &status) != 0 || lseek(folder, 0, SEEK_SET) != 0) die("look");
  for (;;) {
    ssize_t count = getdents64(folder, buffer, sizeof buffer);
    if (count < 0) die("list");
    if (count == 0) return;
    for (ssize_t at = 0; at < count;) {
      struct dirent64 *entry = (struct dirent64 *)(buffer + at);
      at += entry->d_reclen;
      if (is_dots(entry->d_name) || !strcmp(entry->d_name, ".onionkeeper")) continue;
      if (fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) die(entry->d_name);
      seen++;
      if (S_ISDIR(status.st_mode) && depth > 0) {
        int inner = below(folder, entry->d_name, O_RDONLY | O_DIRECTORY);
        look(inner, depth - 1);
        close(inner);
      } else if (reads && S_ISREG(status.st_mode)) {
        contents(folder, entry->d_name);
      }
    }
  }
}

static int ascending(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return a < b ? -1 : a > b;
}

int main(int count, char **words) {
  if (count != 4) return 64;
  int runs = atoi(words[2]);
  reads = !strcmp(words[3], "contents");
  if (runs < 1) return 64;
  double *times = calloc((size_t)runs, sizeof *times);
  if (times == NULL) die("memory");
  for (int run = 0; run < runs; run++) {
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    int root = open(words[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) die(words[1]);
    look(root, 3);
    close(root);
    clock_gettime(CLOCK_MONOTONIC, &end);
    times[run] = (double)(end.tv_sec - start.tv_sec) * 1e6 +
                 (double)(end.tv_nsec - start.tv_nsec) / 1e3;
  }
  qsort(times, (size_t)runs, sizeof *times, ascending);
  printf("%.1f\n", times[runs / 2]);
  return seen > 0 ? 0 : 1;
}
