// The C boundary of GitSource: libgit2's headers, two of libc's that Swift's Glibc module lacks
// (malloc_trim, tcp_info), and what Swift cannot say itself.
//
// `git_libgit2_opts` is variadic and therefore invisible to Swift: one inline function per
// argument type stands in for it. Nothing here holds state.
#ifndef ONIONKEEPER_CGIT2_SHIM_H
#define ONIONKEEPER_CGIT2_SHIM_H

#include <git2.h>
#include <git2/sys/repository.h>
#include <git2/sys/stream.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <stddef.h>

static inline int cgit2_option_size(int option, size_t value) {
  return git_libgit2_opts(option, value);
}

static inline int cgit2_option_signed_size(int option, ssize_t value) {
  return git_libgit2_opts(option, value);
}

static inline int cgit2_option_flag(int option, int value) {
  return git_libgit2_opts(option, value);
}

static inline int cgit2_option_string(int option, const char *_Nonnull value) {
  return git_libgit2_opts(option, value);
}

static inline int cgit2_set_search_path(int level, const char *_Nonnull path) {
  return git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, path);
}

static inline int cgit2_set_ca_file(const char *_Nonnull file) {
  return git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, file, (const char *)NULL);
}

// A stream of our own. libgit2's ssh transport reads the descriptor out of the stream it made
// itself (`git_socket_stream` of libgit2 1.5, src/libgit2/streams/socket.h), so the first four
// members must be laid out exactly like that struct; the tests fetch over a real sshd to prove it.
typedef struct cgit2_stream {
  git_stream parent;
  char *_Nullable host;
  char *_Nullable port;
  int s;
  void *_Nullable transfer; // ours: the conversation that the stream belongs to, retained
} cgit2_stream;

#endif
