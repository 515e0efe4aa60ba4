// faulting LOG FOLDER trace PROGRAM …         runs a program and notes its calls about files in a folder
// faulting LOG FOLDER kill=N PROGRAM …        the same, and kills it just before its N-th call that changes a disk
// faulting LOG FOLDER fail=N:ERRNO PROGRAM …  the same, and its N-th call fails instead of being made
// faulting LOG FOLDER lean PROGRAM …          the same; openat2 always fails with ENOSYS, as on an old kernel
//
// Calls count from the program's access("/onionkeeper/begin") to its access("/onionkeeper/end").
// A line of the log is tab-separated:
//
//   NUMBER  CHANGING(0|1)  CALL  RESULT  PATH  OTHER
//
// PATH is where the object lies at the time of the call; OTHER is a new path, a mode, an owner, or the bytes written
// (hexadecimal). Ends as the program does; 137 when killed.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT = PATH_MAX + 8, DATA = 8192 };

static const int calls[] = {
#ifdef SYS_access
    SYS_access,
#endif
    SYS_faccessat, SYS_openat,   SYS_openat2,    SYS_mkdirat,  SYS_renameat2, SYS_unlinkat,   SYS_write,
    SYS_pwrite64,  SYS_ftruncate, SYS_fchmod,    SYS_fchownat, SYS_fsetxattr, SYS_setxattr,   SYS_fsync,
    SYS_fdatasync, SYS_newfstatat, SYS_fstat,    SYS_pread64,  SYS_getdents64, SYS_readlinkat, SYS_flock,
#ifdef SYS_renameat
    SYS_renameat,
#endif
};

static FILE *note;
static pid_t child;
static const char *within;
static int active, number, changes;
static int kill_at, fail_at, fail_with, is_lean;

/// A call that was entered and has not returned.
struct pending {
  pid_t thread;
  char text[DATA * 2 + TEXT * 2];
};
static struct pending pendings[64];

static void die(const char *what) {
  perror(what);
  if (child > 0) kill(child, SIGKILL);
  exit(70);
}

static void install_filter(void) {
  struct sock_filter program[2 + sizeof calls / sizeof *calls * 2 + 4];
  size_t at = 0;
  program[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  if (is_lean) {
    program[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1);
    program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
  }
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    program[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1);
    program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
  }
  program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog whole = {.len = (unsigned short)at, .filter = program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole) != 0)
    die("seccomp");
}

static size_t copy(pid_t thread, uint64_t from, void *to, size_t count) {
  struct iovec here = {to, count}, there = {(void *)(uintptr_t)from, count};
  ssize_t got = process_vm_readv(thread, &here, 1, &there, 1, 0);
  return got < 0 ? 0 : (size_t)got;
}

// A text of the program's: page by page, for it may end just before memory that is not there.
static void text(pid_t thread, uint64_t from, char *to) {
  size_t filled = 0;
  to[0] = '\0';
  while (filled < PATH_MAX) {
    size_t part = 4096 - (size_t)((from + filled) & 4095);
    if (part > PATH_MAX - filled) part = PATH_MAX - filled;
    size_t got = copy(thread, from + filled, to + filled, part);
    if (got == 0 || memchr(to + filled, 0, got)) break;
    filled += got;
  }
  to[PATH_MAX - 1] = '\0';
}

static void path_of(pid_t thread, int fd, char *to) {
  char link[64];
  if (fd == AT_FDCWD)
    snprintf(link, sizeof link, "/proc/%d/cwd", thread);
  else
    snprintf(link, sizeof link, "/proc/%d/fd/%d", thread, fd);
  ssize_t count = readlink(link, to, PATH_MAX - 1);
  to[count < 0 ? 0 : count] = '\0';
}

// Where a name below a folder lies.
static void path_at(pid_t thread, int fd, uint64_t name, char *to) {
  char below[TEXT];
  text(thread, name, below);
  int number = -1;
  if (sscanf(below, "/proc/self/fd/%d", &number) == 1) {
    path_of(thread, number, to);
  } else if (below[0] == '/') {
    memcpy(to, below, sizeof below);
  } else {
    path_of(thread, fd, to);
    size_t length = strlen(to);
    if (below[0] != '\0') snprintf(to + length, TEXT - length, "/%s", below);
  }
}

/// What one call is about.
struct call {
  const char *name;
  int changing;
  char path[TEXT], other[DATA * 2 + TEXT];
};

static void written(pid_t thread, uint64_t from, uint64_t count, char *to) {
  unsigned char bytes[DATA];
  size_t got = copy(thread, from, bytes, count < sizeof bytes ? (size_t)count : sizeof bytes);
  for (size_t i = 0; i < got; i++) sprintf(to + i * 2, "%02x", bytes[i]);
}

static void opening(pid_t thread, const uint64_t *a, uint64_t flags, struct call *call) {
  path_at(thread, (int)a[0], a[1], call->path);
  int creates = (flags & O_CREAT) != 0;
  // Made by the kernel only if it was not there: what was there is no change.
  call->changing = creates && faccessat(AT_FDCWD, call->path, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
  call->name = call->changing ? "create" : "open";
}

static void understand(pid_t thread, uint64_t nr, const uint64_t *a, struct call *call) {
  struct open_how how = {0};
  memset(call, 0, sizeof *call);
  call->name = "look";
  switch (nr) {
  case SYS_openat: opening(thread, a, a[2], call); break;
  case SYS_openat2:
    copy(thread, a[2], &how, sizeof how);
    opening(thread, a, how.flags, call);
    break;
  case SYS_mkdirat:
    call->name = "mkdir", call->changing = 1;
    path_at(thread, (int)a[0], a[1], call->path);
    break;
#ifdef SYS_renameat
  case SYS_renameat:
#endif
  case SYS_renameat2:
    call->name = "rename", call->changing = 1;
    path_at(thread, (int)a[0], a[1], call->path);
    path_at(thread, (int)a[2], a[3], call->other);
    break;
  case SYS_unlinkat:
    call->name = a[2] & AT_REMOVEDIR ? "rmdir" : "unlink", call->changing = 1;
    path_at(thread, (int)a[0], a[1], call->path);
    break;
  case SYS_write:
  case SYS_pwrite64:
    call->name = "write", call->changing = 1;
    path_of(thread, (int)a[0], call->path);
    written(thread, a[1], a[2], call->other);
    break;
  case SYS_ftruncate:
    call->name = "truncate", call->changing = 1;
    path_of(thread, (int)a[0], call->path);
    break;
  case SYS_fchmod:
    call->name = "chmod", call->changing = 1;
    path_of(thread, (int)a[0], call->path);
    sprintf(call->other, "%llo", (unsigned long long)a[1]);
    break;
  case SYS_fchownat:
    call->name = "chown", call->changing = 1;
    path_at(thread, (int)a[0], a[1], call->path);
    sprintf(call->other, "%llu", (unsigned long long)a[2]);
    break;
  case SYS_fsetxattr:
  case SYS_setxattr:
    call->name = "label", call->changing = 1;
    if (nr == SYS_fsetxattr) path_of(thread, (int)a[0], call->path);
    else path_at(thread, AT_FDCWD, a[0], call->path);
    written(thread, a[2], a[3], call->other);
    break;
  case SYS_fsync:
  case SYS_fdatasync:
    call->name = "sync", call->changing = 1;
    path_of(thread, (int)a[0], call->path);
    break;
  case SYS_flock:
    call->name = "lock";
    path_of(thread, (int)a[0], call->path);
    break;
  case SYS_newfstatat:
  case SYS_readlinkat: path_at(thread, (int)a[0], a[1], call->path); break;
  case SYS_fstat:
  case SYS_pread64:
  case SYS_getdents64: path_of(thread, (int)a[0], call->path); break;
  default: break;
  }
}

// The call is not made; the program sees an error.
static void refuse(pid_t thread, int error) {
#if defined(__x86_64__)
  struct user_regs_struct registers;
  if (ptrace(PTRACE_GETREGS, thread, 0, &registers) != 0) die("registers");
  registers.orig_rax = (unsigned long long)-1;
  registers.rax = (unsigned long long)-error;
  if (ptrace(PTRACE_SETREGS, thread, 0, &registers) != 0) die("registers");
#elif defined(__aarch64__)
  struct user_regs_struct registers;
  struct iovec vector = {&registers, sizeof registers};
  int none = -1;
  struct iovec call = {&none, sizeof none};
  if (ptrace(PTRACE_GETREGSET, thread, 1 /* NT_PRSTATUS */, &vector) != 0) die("registers");
  registers.regs[0] = (unsigned long long)-error;
  if (ptrace(PTRACE_SETREGSET, thread, 1, &vector) != 0 ||
      ptrace(PTRACE_SETREGSET, thread, 0x404 /* NT_ARM_SYSTEM_CALL */, &call) != 0)
    die("registers");
#else
#error "unknown machine"
#endif
}

static struct pending *pending(pid_t thread) {
  struct pending *free = NULL;
  for (size_t i = 0; i < sizeof pendings / sizeof *pendings; i++) {
    if (pendings[i].thread == thread) return &pendings[i];
    if (pendings[i].thread == 0 && free == NULL) free = &pendings[i];
  }
  if (free == NULL) die("threads");
  free->thread = thread;
  return free;
}

static void entered(pid_t thread) {
  struct __ptrace_syscall_info info;
  if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0) die("call");
  const uint64_t *a = (const uint64_t *)info.seccomp.args;
  uint64_t nr = info.seccomp.nr;
  int is_access = nr == SYS_faccessat;
  char mark[TEXT] = "";
  if (is_access) text(thread, a[1], mark);
#ifdef SYS_access
  if (nr == SYS_access) is_access = 1, text(thread, a[0], mark);
#endif
  if (is_access) {
    if (strcmp(mark, "/onionkeeper/begin") == 0) active = 1;
    if (strcmp(mark, "/onionkeeper/end") == 0) active = 0;
  }
  static struct call call;
  if (active && !is_access) understand(thread, nr, a, &call);
  if (!active || is_access || strncmp(call.path, within, strlen(within)) != 0) {
    ptrace(PTRACE_CONT, thread, 0, 0);
    return;
  }
  number++;
  changes += call.changing;
  if (kill_at > 0 && call.changing && changes == kill_at) {
    fprintf(note, "%d\t1\t%s\tkilled\t%s\t%s\n", number, call.name, call.path, call.other);
    fflush(note);
    kill(child, SIGKILL);
    return;
  }
  int fails = fail_at == number;
  if (fails) refuse(thread, fail_with);
  struct pending *waiting = pending(thread);
  snprintf(waiting->text, sizeof waiting->text, "%s\t%s", call.path, call.other);
  fprintf(note, "%d\t%d\t%s\t", number, call.changing, call.name);
  ptrace(PTRACE_SYSCALL, thread, 0, 0);
}

static void left(pid_t thread) {
  struct __ptrace_syscall_info info;
  if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0) die("return");
  struct pending *waiting = pending(thread);
  fprintf(note, "%lld\t%s\n", (long long)info.exit.rval, waiting->text);
  waiting->thread = 0;
  ptrace(PTRACE_CONT, thread, 0, 0);
}

static void stopped(pid_t thread, int status) {
  int which = WSTOPSIG(status), event = status >> 16;
  if (event == PTRACE_EVENT_SECCOMP) {
    entered(thread);
  } else if (which == (SIGTRAP | 0x80)) {
    left(thread);
  } else if (event != 0) {
    ptrace(PTRACE_CONT, thread, 0, 0);
  } else {
    ptrace(PTRACE_CONT, thread, 0, which);
  }
}

static void start(char **words) {
  int gate[2];
  if (pipe2(gate, O_CLOEXEC) != 0) die("pipe");
  child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    char byte;
    if (read(gate[0], &byte, 1) != 1) _exit(70);
    install_filter();
    execv(words[0], words);
    _exit(71);
  }
  long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                 PTRACE_O_TRACEEXEC | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SEIZE, child, 0, options) != 0) die("seize");
  if (write(gate[1], "x", 1) != 1) die("pipe");
  close(gate[0]);
  close(gate[1]);
}

int main(int count, char **words) {
  if (count < 5) return 64;
  within = words[2];
  const char *mode = words[3];
  is_lean = strcmp(mode, "lean") == 0;
  if (sscanf(mode, "kill=%d", &kill_at) != 1 && sscanf(mode, "fail=%d:%d", &fail_at, &fail_with) != 2 && !is_lean &&
      strcmp(mode, "trace") != 0)
    return 64;
  note = fopen(words[1], "we");
  if (note == NULL) die(words[1]);
  start(words + 4);
  for (;;) {
    int status;
    pid_t thread = waitpid(-1, &status, __WALL);
    if (thread < 0) {
      if (errno == EINTR) continue;
      die("wait");
    }
    if (WIFSTOPPED(status)) {
      stopped(thread, status);
    } else if (thread == child) {
      fclose(note);
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
  }
}
