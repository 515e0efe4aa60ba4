#define _GNU_SOURCE
#include "CLinux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

const int CLINUX_O_PATH = O_PATH;
const int CLINUX_O_TMPFILE = O_TMPFILE;
const int CLINUX_O_NOATIME = O_NOATIME;

static long openat2_call(int folder, const char *path, int flags, unsigned mode, uint64_t resolve) {
  struct open_how how = {
      .flags = (uint64_t)(flags | O_CLOEXEC),
      // The kernel refuses a mode where nothing can be created.
      .mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0,
      .resolve = resolve,
  };
  return syscall(SYS_openat2, folder, path, &how, sizeof how);
}

// 0 not asked yet, 1 there, 2 not there.
static int has_openat2(void) {
  static atomic_int known;
  int state = atomic_load(&known);
  if (state == 0) {
    // Asked by the harmless call, so that an EPERM of a filter is not confused with one of a file.
    long fd = openat2_call(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0, 0);
    if (fd < 0 && errno != ENOSYS && errno != EPERM) return 1;
    if (fd >= 0) close((int)fd);
    state = fd >= 0 ? 1 : 2;
    atomic_store(&known, state);
  }
  return state == 1;
}

// The mount that a descriptor lies on; -1 if nobody can tell.
static int mount_of(int fd) {
  struct file_handle handle = {.handle_bytes = 0};
  int mount = -1;
  // It fails for want of room in the handle, with the mount's number filled in.
  if (name_to_handle_at(fd, "", &handle, &mount, AT_EMPTY_PATH) == 0 || errno == EOVERFLOW)
    return mount;
  return -1;
}

// Whether `fd` lies on the mount of `start`; by device number where the file system has no handles.
static int same_mount(int start, int fd) {
  int left = mount_of(start), right = mount_of(fd);
  if (left >= 0 && right >= 0) return left == right;
  struct stat a, b;
  return fstat(start, &a) == 0 && fstat(fd, &b) == 0 && a.st_dev == b.st_dev;
}

static int fail(int fd, int error) {
  if (fd >= 0) close(fd);
  errno = error;
  return -1;
}

// Opens one component; a link there is ELOOP, as openat2 says it.
static int step(int folder, const char *name, int flags, unsigned mode) {
  int fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
  struct stat status;
  if (fd < 0) {
    int error = errno;
    if (error == ENOTDIR && fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(status.st_mode))
      error = ELOOP;
    return fail(-1, error);
  }
  if ((flags & O_PATH) && fstat(fd, &status) == 0 && S_ISLNK(status.st_mode))
    return fail(fd, ELOOP);
  return fd;
}

static int walk(int folder, const char *path, int flags, unsigned mode, int resolve) {
  char name[NAME_MAX + 1];
  int here = -1;
  if (*path == '\0') return fail(-1, ENOENT);
  if (*path == '/') return fail(-1, EXDEV);
  for (;;) {
    const char *end = strchrnul(path, '/');
    size_t length = (size_t)(end - path);
    if (length > NAME_MAX) return fail(here, ENAMETOOLONG);
    memcpy(name, path, length);
    name[length] = '\0';
    // The kernel allows `..` that stays beneath; nobody of ours asks for it.
    if (strcmp(name, "..") == 0) return fail(here, EXDEV);
    while (*end == '/') end++;
    int last = *end == '\0';
    int wanted = last ? flags : O_PATH | O_DIRECTORY;
    int next = step(here < 0 ? folder : here, length == 0 ? "." : name, wanted, mode);
    if (next < 0) return fail(here, errno);
    if ((resolve & CLINUX_NO_XDEV) && !same_mount(folder, next)) {
      close(next);
      return fail(here, EXDEV);
    }
    if (here >= 0) close(here);
    here = next;
    if (last) return here;
    path = end;
  }
}

int clinux_open(int folder, const char *path, int flags, unsigned mode, int resolve) {
  if (!(resolve & CLINUX_WALK) && has_openat2()) {
    uint64_t how = 0;
    if (resolve & CLINUX_BENEATH) how |= RESOLVE_BENEATH;
    if (resolve & CLINUX_NO_SYMLINKS) how |= RESOLVE_NO_SYMLINKS;
    if (resolve & CLINUX_NO_XDEV) how |= RESOLVE_NO_XDEV;
    return (int)openat2_call(folder, path, flags, mode, how);
  }
  int both = CLINUX_BENEATH | CLINUX_NO_SYMLINKS;
  if ((resolve & both) == both) return walk(folder, path, flags, mode, resolve);
  return fail(-1, ENOSYS);
}

int clinux_rename_noreplace(int old_folder, const char *old_name, int new_folder,
                            const char *new_name) {
  return renameat2(old_folder, old_name, new_folder, new_name, RENAME_NOREPLACE);
}

int clinux_rename_exchange(int left_folder, const char *left_name, int right_folder,
                           const char *right_name) {
  return renameat2(left_folder, left_name, right_folder, right_name, RENAME_EXCHANGE);
}

ssize_t clinux_list(int folder, void *buffer, size_t size) {
  return getdents64(folder, buffer, size);
}

size_t clinux_record_length(const void *record) {
  return ((const struct dirent64 *)record)->d_reclen;
}

size_t clinux_record_name_offset(void) { return offsetof(struct dirent64, d_name); }

// The path of a descriptor that was opened with O_PATH, for calls that refuse such a one.
static int is_path_only(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_PATH) != 0;
}

#define PROC_PATH(name, fd) \
  char name[32];            \
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd)

ssize_t clinux_get_attribute(int fd, const char *name, void *value, size_t size) {
  if (!is_path_only(fd)) return fgetxattr(fd, name, value, size);
  PROC_PATH(path, fd);
  return getxattr(path, name, value, size);
}

int clinux_set_attribute(int fd, const char *name, const void *value, size_t size) {
  if (!is_path_only(fd)) return fsetxattr(fd, name, value, size, 0);
  PROC_PATH(path, fd);
  return setxattr(path, name, value, size, 0);
}

int clinux_remove_attribute(int fd, const char *name) {
  if (!is_path_only(fd)) return fremovexattr(fd, name);
  PROC_PATH(path, fd);
  return removexattr(path, name);
}

int clinux_chown(int fd, uid_t owner, gid_t group) {
  return fchownat(fd, "", owner, group, AT_EMPTY_PATH);
}

void clinux_zero(void *bytes, size_t count) { explicit_bzero(bytes, count); }

int clinux_lock_memory(void *bytes, size_t count) {
  int locked = mlock(bytes, count);
  int hidden = madvise(bytes, count, MADV_DONTDUMP);
  return locked == 0 && hidden == 0 ? 0 : -1;
}

int clinux_unlock_memory(void *bytes, size_t count) { return munlock(bytes, count); }

void *clinux_pages(size_t count) {
  void *bytes = mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return bytes == MAP_FAILED ? NULL : bytes;
}

void clinux_free_pages(void *bytes, size_t count) {
  explicit_bzero(bytes, count);
  munmap(bytes, count);
}

int clinux_accept(int listening) { return accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

int clinux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC | O_NONBLOCK); }

int clinux_memory_file(void) { return memfd_create("onionkeeper", MFD_CLOEXEC); }

int clinux_forbid_dumps(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

int clinux_dumpable(void) { return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0); }

int clinux_clock_is_synchronized(void) {
  struct timex state = {0};
  if (adjtimex(&state) < 0) return -1;
  return (state.status & STA_UNSYNC) == 0;
}
