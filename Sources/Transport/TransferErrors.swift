import CCurl
import Glibc

extension Transfer {
  /// libcurl's code in our words, with libcurl's own message and the system's reason.
  func error(for code: CURLcode) -> TransportError {
    var message = String(cString: errorText)
    if message.isEmpty { message = String(cString: curl_easy_strerror(code)) }
    var number = 0
    if ccurl_get_long(handle, CURLINFO_OS_ERRNO, &number) == CURLE_OK, number != 0 {
      message += ": \(String(cString: strerror(Int32(truncatingIfNeeded: number))))"
    }
    return TransportError(Self.kind(of: code), operation: job.request.operation, message: message)
  }

  private static func kind(of code: CURLcode) -> TransportError.Code {
    switch code {
    case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY,
      CURLE_PROXY:
      .connect
    case CURLE_OPERATION_TIMEDOUT: .timeout
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
      CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR:
      .tls
    case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_CONTENT_ENCODING:
      .malformed
    case CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR,
      CURLE_SEND_FAIL_REWIND:
      .interrupted
    case CURLE_URL_MALFORMAT: .invalidRequest
    default: .failed
    }
  }
}
