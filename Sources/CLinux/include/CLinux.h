#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Open flags that glibc hides without _GNU_SOURCE.
extern const int CLINUX_O_PATH;
extern const int CLINUX_O_TMPFILE;
extern const int CLINUX_O_NOATIME;

/// How a path may be resolved below its folder; the kernel's RESOLVE_* of the same names.
enum {
  CLINUX_BENEATH = 1,     ///< never above the folder, no absolute path: EXDEV
  CLINUX_NO_SYMLINKS = 2, ///< no link anywhere on the way, nor at its end: ELOOP
  CLINUX_NO_XDEV = 4,     ///< no mount point on the way, nor at its end: EXDEV
  CLINUX_WALK = 8,        ///< do not ask the kernel, walk component by component (the fallback, to test it)
};

/// openat2(2). Where the kernel lacks it (before 5.6, or a seccomp filter without it) the same is
/// walked component by component with O_NOFOLLOW, if BENEATH and NO_SYMLINKS are both asked for;
/// otherwise ENOSYS. Mounts are told apart by mount id there.
/// @return A descriptor with O_CLOEXEC set, or -1.
int clinux_open(int folder, const char *_Nonnull path, int flags, unsigned mode, int resolve);

/// renameat2(2) with RENAME_NOREPLACE: EEXIST if anything at all bears the new name.
int clinux_rename_noreplace(int old_folder, const char *_Nonnull old_name, int new_folder,
                            const char *_Nonnull new_name);

/// renameat2(2) with RENAME_EXCHANGE: both names exist before and after.
int clinux_rename_exchange(int left_folder, const char *_Nonnull left_name, int right_folder,
                           const char *_Nonnull right_name);

/// getdents64(2): bytes written, 0 at the end, -1.
ssize_t clinux_list(int folder, void *_Nonnull buffer, size_t size);
/// Length of the record at `record` and where its name begins in it.
size_t clinux_record_length(const void *_Nonnull record);
size_t clinux_record_name_offset(void);

ssize_t clinux_get_attribute(int fd, const char *_Nonnull name, void *_Nullable value, size_t size);
int clinux_set_attribute(int fd, const char *_Nonnull name, const void *_Nonnull value, size_t size);
int clinux_remove_attribute(int fd, const char *_Nonnull name);

/// fchownat(2) with AT_EMPTY_PATH: works on an O_PATH descriptor too.
int clinux_chown(int fd, uid_t owner, gid_t group);

/// explicit_bzero(3): never optimised away.
void clinux_zero(void *_Nonnull bytes, size_t count);
/// mlock(2) and madvise(MADV_DONTDUMP) of the pages that hold these bytes; best effort, 0 if both held.
int clinux_lock_memory(void *_Nonnull bytes, size_t count);
int clinux_unlock_memory(void *_Nonnull bytes, size_t count);
/// Page-aligned memory of its own, zeroed; NULL if there is none. Freed by clinux_free_pages with the same size.
void *_Nullable clinux_pages(size_t count);
void clinux_free_pages(void *_Nonnull bytes, size_t count);

/// accept4(2) with SOCK_CLOEXEC and SOCK_NONBLOCK; -1 and errno.
int clinux_accept(int listening);
/// pipe2(2) with O_CLOEXEC and O_NONBLOCK: reading end first; -1 and errno.
int clinux_pipe(int ends[_Nonnull 2]);
/// memfd_create(2): an empty file without a name, closed at exec; -1 and errno if there is none.
int clinux_memory_file(void);

/// prctl(2) with PR_SET_DUMPABLE 0: no core dump, and no reading of this process's memory by its own user. Forgotten at exec.
int clinux_forbid_dumps(void);
/// prctl(2) with PR_GET_DUMPABLE: 0, 1, 2, or -1.
int clinux_dumpable(void);

/// adjtimex(2) without a change: 1 if something keeps the clock in step (NTP), 0 if nothing does, -1.
int clinux_clock_is_synchronized(void);

#endif
