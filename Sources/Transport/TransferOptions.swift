import CCurl
import Glibc

extension Transfer {
  /// Sets every option that matters; nothing is left to libcurl's reading of the environment.
  func configure() throws(TransportError) {
    let request = job.request
    try setBasics(request)
    try setLimits(request.limits)
    try setRoute(request.route)
    try setTrust(request.authorities)
    try setFields(request.headers)
    try setCallbacks()
    if let upload {
      try set(CURLOPT_UPLOAD, 1)
      try check(ccurl_set_offset(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(upload.size)))
      // Large tars go faster; libcurl's default is 64 KiB.
      if upload.size > 1 << 20 { try set(CURLOPT_UPLOAD_BUFFERSIZE, 256 << 10) }
    } else if request.method == "HEAD" {
      try set(CURLOPT_NOBODY, 1)
    }
    try set(CURLOPT_CUSTOMREQUEST, request.method)
  }

  private func setBasics(_ request: HTTPRequest) throws(TransportError) {
    try check(ccurl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText))
    try set(CURLOPT_NOSIGNAL, 1)
    try set(CURLOPT_PROTOCOLS_STR, "http,https")
    try set(CURLOPT_FOLLOWLOCATION, 0)
    try set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
    try set(CURLOPT_PATH_AS_IS, 1)
    try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    try set(CURLOPT_TCP_KEEPALIVE, 1)
    try set(CURLOPT_URL, request.url)
  }

  private func setLimits(_ limits: HTTPLimits) throws(TransportError) {
    // libcurl reads 0 as "no limit".
    try set(CURLOPT_CONNECTTIMEOUT_MS, Int(max(1, limits.connect.milliseconds)))
    if let total = limits.total { try set(CURLOPT_TIMEOUT_MS, Int(max(1, total.milliseconds))) }
  }

  private func setRoute(_ route: HTTPRoute) throws(TransportError) {
    // Empty, not unset: unset means http_proxy and no_proxy of the environment.
    try set(CURLOPT_NOPROXY, "")
    switch route {
    case .direct: try set(CURLOPT_PROXY, "")
    case .unixSocket(let path):
      try set(CURLOPT_PROXY, "")
      try set(CURLOPT_UNIX_SOCKET_PATH, path)
    case .socks(let address, let user):
      guard !address.isEmpty,
        !address.utf8.contains(where: { $0 <= 0x20 || "/@?#".utf8.contains($0) })
      else {
        throw TransportError(
          .invalidRequest, operation: job.request.operation,
          message: "the SOCKS proxy must be host:port")
      }
      try set(CURLOPT_PROXY, "socks5h://\(address)")
      try set(CURLOPT_SOCKS5_AUTH, ccurl_auth_basic())
      if let user {
        // tor isolates circuits by user and password; the password only has to be there.
        try set(CURLOPT_PROXYUSERNAME, user)
        try set(CURLOPT_PROXYPASSWORD, "x")
      }
    }
  }

  private func setTrust(_ authorities: String?) throws(TransportError) {
    try set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    try set(CURLOPT_SSL_VERIFYPEER, 1)
    try set(CURLOPT_SSL_VERIFYHOST, 2)
    if let authorities {
      try set(CURLOPT_CAINFO, authorities)
      // Debian's libcurl would go on trusting the system's directory beside the file.
      try check(ccurl_set_string(handle, CURLOPT_CAPATH, nil))
    }
  }

  private func setFields(_ headers: HTTPHeaders) throws(TransportError) {
    // Without it libcurl waits a second for "100 Continue" before a large body.
    var lines = ["Expect:"]
    lines += headers.fields.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
    for line in lines {
      guard let list = curl_slist_append(fieldList, line) else {
        throw TransportError(
          .failed, operation: job.request.operation, message: "curl_slist_append: out of memory")
      }
      fieldList = list
    }
    try check(ccurl_set_list(handle, CURLOPT_HTTPHEADER, fieldList))
  }

  /// The transfer outlives its time in libcurl: the set of transfers holds it until the handle is removed.
  private func setCallbacks() throws(TransportError) {
    let this = Unmanaged.passUnretained(self).toOpaque()
    try check(
      ccurl_set_write(handle, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
        Transfer.at(context)?.receive(
          line: UnsafeRawBufferPointer(start: bytes, count: size * count)) ?? 0
      })
    try check(ccurl_set_pointer(handle, CURLOPT_HEADERDATA, this))
    try check(
      ccurl_set_write(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
        Transfer.at(context)?.receive(
          body: UnsafeRawBufferPointer(start: bytes, count: size * count)) ?? 0
      })
    try check(ccurl_set_pointer(handle, CURLOPT_WRITEDATA, this))
    try check(
      ccurl_set_read(handle) { bytes, size, count, context in
        Transfer.at(context)?.send(
          into: UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
          ?? Int(CURL_READFUNC_ABORT)
      })
    try check(ccurl_set_pointer(handle, CURLOPT_READDATA, this))
    try check(
      ccurl_set_seek(handle) { context, offset, origin in
        // Only from the start (SEEK_SET), as libcurl promises.
        let isDone = origin == 0 && Transfer.at(context)?.upload?.rewind(to: Int(offset)) == true
        return isDone ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL
      })
    try check(ccurl_set_pointer(handle, CURLOPT_SEEKDATA, this))
    try check(
      ccurl_set_socket(handle) { _, descriptor, _ in
        // libcurl's sockets would live on in every child that a program starts.
        fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ERROR
      })
  }

  /// `nil` would mean that libcurl lost the pointer that it was given: the callbacks then end the transfer.
  private static func at(_ context: UnsafeMutableRawPointer?) -> Transfer? {
    guard let context else { return nil }
    return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
  }

  private func set(_ option: CURLoption, _ value: Int) throws(TransportError) {
    try check(ccurl_set_long(handle, option, value))
  }

  private func set(_ option: CURLoption, _ value: String) throws(TransportError) {
    try check(ccurl_set_string(handle, option, value))
  }

  private func check(_ code: CURLcode) throws(TransportError) {
    guard code == CURLE_OK else { throw error(for: code) }
  }
}
