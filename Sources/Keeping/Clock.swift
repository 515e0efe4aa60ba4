import Glibc
public import OnionModel

/// Wall time, read here and handed down; nothing below Keeping reads a clock of its own.
public func wallTime() -> Timestamp {
  var time = timespec()
  clock_gettime(CLOCK_REALTIME, &time)
  return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
}
