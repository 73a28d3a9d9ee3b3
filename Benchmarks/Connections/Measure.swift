import Glibc

/// Processor seconds this process has used, in user and kernel.
func processorSeconds() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Resident memory in bytes, from the kernel.
func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var total = 0
    var resident = 0
    withUnsafeMutablePointer(to: &total) { total in
        withUnsafeMutablePointer(to: &resident) { resident in
            _ = withVaList([total, resident]) { vfscanf(file, "%ld %ld", $0) }
        }
    }
    return resident * 4096
}

extension Duration {
    var inSeconds: Double { Double(self.components.seconds) + Double(self.components.attoseconds) / 1e18 }
}

/// `value` with so many decimals.
func rounded(_ value: Double, _ decimals: Int = 2) -> String {
    let scale = decimals == 0 ? 1 : decimals == 1 ? 10.0 : 100
    return String((value * scale).rounded() / scale)
}

/// The values below which half, nine tenths and 99 of 100 are.
func percentiles(_ values: [Double]) -> (p50: Double, p90: Double, p99: Double) {
    let sorted = values.sorted()
    func at(_ share: Double) -> Double { sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))] }
    return (at(0.5), at(0.9), at(0.99))
}
