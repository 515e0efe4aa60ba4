// The C boundary of Transport: libcurl's header, and what Swift cannot say itself.
//
// `curl_easy_setopt`, `curl_easy_getinfo` and `curl_multi_setopt` are variadic and therefore invisible
// to Swift: one inline function per argument type stands in for them. Nothing here holds state.
#ifndef ONIONKEEPER_CCURL_SHIM_H
#define ONIONKEEPER_CCURL_SHIM_H

#include <curl/curl.h>
#include <stddef.h>

typedef size_t (*ccurl_write_function)(char *_Nonnull, size_t, size_t, void *_Nullable);
typedef size_t (*ccurl_read_function)(char *_Nonnull, size_t, size_t, void *_Nullable);
typedef int (*ccurl_seek_function)(void *_Nullable, curl_off_t, int);
typedef int (*ccurl_socket_function)(void *_Nullable, curl_socket_t, curlsocktype);

static inline CURLcode ccurl_set_long(CURL *_Nonnull handle, CURLoption option, long value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode ccurl_set_offset(CURL *_Nonnull handle, CURLoption option, curl_off_t value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode ccurl_set_string(CURL *_Nonnull handle, CURLoption option, const char *_Nullable value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode ccurl_set_pointer(CURL *_Nonnull handle, CURLoption option, void *_Nullable value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode ccurl_set_list(CURL *_Nonnull handle, CURLoption option, struct curl_slist *_Nullable value) {
  return curl_easy_setopt(handle, option, value);
}

// CURLOPT_WRITEFUNCTION and CURLOPT_HEADERFUNCTION.
static inline CURLcode ccurl_set_write(CURL *_Nonnull handle, CURLoption option, ccurl_write_function _Nonnull value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode ccurl_set_read(CURL *_Nonnull handle, ccurl_read_function _Nonnull value) {
  return curl_easy_setopt(handle, CURLOPT_READFUNCTION, value);
}

static inline CURLcode ccurl_set_seek(CURL *_Nonnull handle, ccurl_seek_function _Nonnull value) {
  return curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, value);
}

static inline CURLcode ccurl_set_socket(CURL *_Nonnull handle, ccurl_socket_function _Nonnull value) {
  return curl_easy_setopt(handle, CURLOPT_SOCKOPTFUNCTION, value);
}

static inline CURLcode ccurl_get_long(CURL *_Nonnull handle, CURLINFO info, long *_Nonnull value) {
  return curl_easy_getinfo(handle, info, value);
}

static inline CURLMcode ccurl_multi_set_long(CURLM *_Nonnull multi, CURLMoption option, long value) {
  return curl_multi_setopt(multi, option, value);
}

static inline CURLcode ccurl_message_result(const CURLMsg *_Nonnull message) {
  return message->data.result;
}

// Macros with casts or a sign that the importer would lose.
static inline size_t ccurl_write_pause(void) { return CURL_WRITEFUNC_PAUSE; }
static inline long ccurl_auth_basic(void) { return CURLAUTH_BASIC; }
static inline size_t ccurl_read_abort(void) { return CURL_READFUNC_ABORT; }

#endif
