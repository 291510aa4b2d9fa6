#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Blocks this thread: for servers that take their time, never to wait for something.
func pause(_ span: Duration) {
    let (seconds, attoseconds) = span.components
    var wait = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    nanosleep(&wait, nil)
}

/// Waits until something holds that another thread brings about; gives up after five minutes, or ten where everything is
/// slowed down.
func until(_ condition: () -> Bool) async {
    let deadline = ContinuousClock.now + .seconds(isSlowed ? 600 : 300)
    while !condition(), .now < deadline { try? await Task.sleep(for: .milliseconds(1)) }
}

struct SocketFailure: Error {}

private func withSocket<Result>(port: Int, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) throws -> Result) throws
    -> Result
{
    #if canImport(Glibc)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #else
        let descriptor = socket(AF_INET, SOCK_STREAM, 0)
    #endif
    guard descriptor >= 0 else { throw SocketFailure() }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return try withUnsafePointer(to: &address) {
        try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            try body(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}

/// A port of 127.0.0.1 that nobody listens on.
func freePort() throws -> Int {
    try withSocket(port: 0) { descriptor, address, length in
        guard bind(descriptor, address, length) == 0 else { throw SocketFailure() }
        var bound = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &bound) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        guard result == 0 else { throw SocketFailure() }
        return Int(UInt16(bigEndian: bound.sin_port))
    }
}

/// Whether somebody listens on a port of 127.0.0.1.
func isListening(_ port: Int) -> Bool {
    (try? withSocket(port: port) { descriptor, address, length in connect(descriptor, address, length) == 0 }) ?? false
}

/// Whether everything slows down many times over, as under a sanitizer: what takes real time gets more of it.
let isSlowed = getenv("CYCLES_TESTS_ARE_SLOWED") != nil
