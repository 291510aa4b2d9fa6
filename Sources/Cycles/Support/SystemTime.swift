#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A time or span as the system's calls have it.
///
/// It stands for `timespec`, whose members the compiler attributes to one module or another, depending on which headers
/// it has seen; the layout is the same.
package struct SystemTime: Sendable {
    private var seconds: Int
    private var nanoseconds: Int

    /// A span, rounded down to whole nanoseconds.
    package init(_ span: Duration) {
        let components = span.components
        seconds = Int(clamping: components.seconds)
        nanoseconds = Int(components.attoseconds / 1_000_000_000)
    }

    /// The same time.
    init(_ time: timespec) { self = unsafeBitCast(time, to: SystemTime.self) }

    /// The time of the last change of a file.
    init(modificationOf status: stat) {
        #if canImport(Darwin)
            self.init(status.st_mtimespec)
        #else
            self.init(status.st_mtim)
        #endif
    }

    /// The time of the clock that nobody sets.
    package static var monotonic: SystemTime { SystemTime(CLOCK_MONOTONIC) }

    /// The time of the wall clock, since the beginning of 1970.
    package static var wall: SystemTime { SystemTime(CLOCK_REALTIME) }

    private init(_ clock: clockid_t) {
        seconds = 0
        nanoseconds = 0
        withUnsafeMutablePointer { _ = clock_gettime(clock, $0) }
    }

    /// The time since the clock began.
    package var duration: Duration { .seconds(seconds) + .nanoseconds(nanoseconds) }

    /// The same in nanoseconds, which cost much less than a `Duration` to take and to compare.
    package var wholeNanoseconds: Int64 { Int64(seconds) &* 1_000_000_000 &+ Int64(nanoseconds) }

    mutating func withUnsafeMutablePointer(_ body: (UnsafeMutablePointer<timespec>) -> Void) {
        assert(MemoryLayout<timespec>.size == MemoryLayout<SystemTime>.size)
        Swift.withUnsafeMutablePointer(to: &self) {
            $0.withMemoryRebound(to: timespec.self, capacity: 1, body)
        }
    }
}
