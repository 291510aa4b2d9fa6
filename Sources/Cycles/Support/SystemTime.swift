#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A time or time span in the layout of the system's `timespec`.
///
/// Replaces `timespec`, whose members the compiler attributes to different modules depending on the headers it has
/// read.
package struct SystemTime: Sendable {
    private var seconds: Int
    private var nanoseconds: Int

    /// Creates a time span, rounded down to whole nanoseconds.
    package init(_ span: Duration) {
        let components = span.components
        seconds = Int(clamping: components.seconds)
        nanoseconds = Int(components.attoseconds / 1_000_000_000)
    }

    /// Converts a `timespec`.
    init(_ time: timespec) { self = unsafeBitCast(time, to: SystemTime.self) }

    /// Creates the modification time of a file.
    init(modificationOf status: stat) {
        #if canImport(Darwin)
            self.init(status.st_mtimespec)
        #else
            self.init(status.st_mtim)
        #endif
    }

    /// The time of the monotonic clock, which nobody can set.
    package static var monotonic: SystemTime { SystemTime(CLOCK_MONOTONIC) }

    /// The time of the wall clock since 1970.
    package static var wall: SystemTime { SystemTime(CLOCK_REALTIME) }

    private init(_ clock: clockid_t) {
        seconds = 0
        nanoseconds = 0
        withUnsafeMutablePointer { _ = clock_gettime(clock, $0) }
    }

    /// The time since the clock's origin.
    package var duration: Duration { .seconds(seconds) + .nanoseconds(nanoseconds) }

    /// The time since the clock's origin in nanoseconds, which are cheaper to read and compare than a `Duration`.
    package var wholeNanoseconds: Int64 { Int64(seconds) &* 1_000_000_000 &+ Int64(nanoseconds) }

    mutating func withUnsafeMutablePointer(_ body: (UnsafeMutablePointer<timespec>) -> Void) {
        assert(MemoryLayout<timespec>.size == MemoryLayout<SystemTime>.size)
        Swift.withUnsafeMutablePointer(to: &self) {
            $0.withMemoryRebound(to: timespec.self, capacity: 1, body)
        }
    }
}
