import Glibc

/// A system call that failed.
struct SystemFailure: Error {
    let call: String
    let code: Int32
}

/// The result of a system call, or its error.
@discardableResult func check<Value: BinaryInteger>(_ call: String, _ result: Value) throws -> Value {
    guard result >= 0 else { throw SystemFailure(call: call, code: errno) }
    return result
}

/// Nanoseconds of the steady clock.
func steadyNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
