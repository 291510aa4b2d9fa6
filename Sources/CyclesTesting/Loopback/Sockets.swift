import Cycles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A system call that failed.
package struct SocketError: Error, Hashable {
    package var action: String
    package var code: Int32

    package init(_ action: String, code: Int32 = errno) {
        self.action = action
        self.code = code
    }

    package var message: String { "\(action) failed: \(String(cString: strerror(code))) (\(code))" }
}

/// Names and types that differ between the platforms.
private enum Platform {
    #if canImport(Glibc)
        static let streamSocket = Int32(SOCK_STREAM.rawValue)
    #else
        static let streamSocket = SOCK_STREAM
    #endif

    #if canImport(Darwin)
        static let sendFlags: Int32 = 0
    #else
        static let sendFlags = Int32(MSG_NOSIGNAL)
    #endif

    /// Makes a descriptor nonblocking, closed in child processes, and free of SIGPIPE.
    static func configure(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        #if canImport(Darwin)
            setOption(descriptor, SOL_SOCKET, SO_NOSIGPIPE)
        #endif
    }

    static func setOption(_ descriptor: Int32, _ level: Int32, _ name: Int32) {
        var value: Int32 = 1
        setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    static func loopbackAddress(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        #if canImport(Darwin)
            address.sin_len = UInt8(MemoryLayout<sockaddr_in>.size)
        #endif
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}

/// An IPv4 or IPv6 address to listen on.
struct SocketAddress {
    private enum Storage {
        case version4(sockaddr_in)
        case version6(sockaddr_in6)
    }

    private var storage: Storage

    /// Returns nil unless `host` is a numeric address such as `127.0.0.1`, `0.0.0.0` or `::1`.
    init?(host: String, port: UInt16) {
        var version4 = Platform.loopbackAddress(port: port)
        var version6 = sockaddr_in6()
        if inet_pton(AF_INET, host, &version4.sin_addr) == 1 {
            storage = .version4(version4)
        } else if inet_pton(AF_INET6, host, &version6.sin6_addr) == 1 {
            #if canImport(Darwin)
                version6.sin6_len = UInt8(MemoryLayout<sockaddr_in6>.size)
            #endif
            version6.sin6_family = sa_family_t(AF_INET6)
            version6.sin6_port = port.bigEndian
            storage = .version6(version6)
        } else {
            return nil
        }
    }

    var family: Int32 {
        switch storage {
        case .version4: AF_INET
        case .version6: AF_INET6
        }
    }

    var port: UInt16 {
        switch storage {
        case .version4(let address): UInt16(bigEndian: address.sin_port)
        case .version6(let address): UInt16(bigEndian: address.sin6_port)
        }
    }

    /// Calls `body` with the address as system calls expect it, and keeps their changes.
    mutating func withPointer<Result>(_ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Result) -> Result {
        switch storage {
        case .version4(var address):
            defer { storage = .version4(address) }
            return SocketAddress.rebound(&address, body)
        case .version6(var address):
            defer { storage = .version6(address) }
            return SocketAddress.rebound(&address, body)
        }
    }

    private static func rebound<Address, Result>(
        _ address: inout Address,
        _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }
}

/// Waits on descriptors.
enum Polling {
    /// The milliseconds until a deadline, for `poll`. Rounded up, so that no wait ends early and spins.
    static func milliseconds(until deadline: ContinuousClock.Instant) -> Int32 {
        let left = deadline - ContinuousClock.now
        guard left > .zero else { return 0 }
        return Int32(clamping: left.wholeMilliseconds &+ 1)
    }

    /// Waits until the descriptor is ready for `events` or broken. Returns false if the deadline passes first.
    static func wait(
        for descriptor: Int32,
        events: Int32,
        until deadline: ContinuousClock.Instant
    ) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        while true {
            let timeout = milliseconds(until: deadline)
            let ready = poll(&entry, 1, timeout)
            if ready > 0 { return true }
            if ready < 0 && errno != EINTR { return true }
            if timeout == 0 { return false }
        }
    }
}

/// One end of a connection. The creator must close it.
package struct ConnectionSocket: Sendable {
    package enum Receipt: Hashable {
        case bytes(Int)
        /// The peer has ended sending.
        case closed
        /// The connection is broken.
        case broken
        case timedOut
    }

    package let descriptor: Int32

    init(configuring descriptor: Int32) {
        self.descriptor = descriptor
        Platform.configure(descriptor)
        // An answer is a single write, so that there is no more data to wait for.
        Platform.setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
    }

    /// Connects to a port of this machine.
    package static func connect(port: UInt16) throws(SocketError) -> ConnectionSocket {
        let descriptor = socket(AF_INET, Platform.streamSocket, 0)
        guard descriptor >= 0 else { throw SocketError("socket") }
        var address = Platform.loopbackAddress(port: port)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                #if canImport(Glibc)
                    Glibc.connect(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
                #elseif canImport(Musl)
                    Musl.connect(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
                #elseif canImport(Darwin)
                    Darwin.connect(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
                #endif
            }
        }
        guard result == 0 else {
            let error = SocketError("connect")
            _ = closeDescriptor(descriptor)
            throw error
        }
        return ConnectionSocket(configuring: descriptor)
    }

    /// Waits for bytes.
    package func receive(
        into buffer: UnsafeMutableRawBufferPointer,
        until deadline: ContinuousClock.Instant
    ) -> Receipt {
        while true {
            guard Polling.wait(for: descriptor, events: Int32(POLLIN), until: deadline) else { return .timedOut }
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .closed }
            guard errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR else { return .broken }
        }
    }

    /// Whether bytes, the end of the stream or an error can be received.
    package var hasInput: Bool { Polling.wait(for: descriptor, events: Int32(POLLIN), until: ContinuousClock.now) }

    /// Sends all bytes. Returns false if the connection breaks or the deadline passes first.
    @discardableResult
    package func send(_ bytes: [UInt8], until deadline: ContinuousClock.Instant) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
                let count = sendOnce(rest)
                if count > 0 {
                    sent += count
                } else if count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) {
                    guard Polling.wait(for: descriptor, events: Int32(POLLOUT), until: deadline) else { return false }
                } else if count < 0 && errno != EINTR {
                    return false
                }
            }
            return true
        }
    }

    private func sendOnce(_ bytes: UnsafeRawBufferPointer) -> Int {
        #if canImport(Glibc)
            Glibc.send(descriptor, bytes.baseAddress, bytes.count, Platform.sendFlags)
        #elseif canImport(Musl)
            Musl.send(descriptor, bytes.baseAddress, bytes.count, Platform.sendFlags)
        #elseif canImport(Darwin)
            Darwin.send(descriptor, bytes.baseAddress, bytes.count, Platform.sendFlags)
        #endif
    }

    /// Ends sending, then reads and discards the peer's bytes until the peer closes or the deadline passes.
    ///
    /// Closing with unread bytes would reset the connection, and the reset may overtake the answer.
    package func finishSending(drainingUntil deadline: ContinuousClock.Instant) {
        endSending()
        withUnsafeTemporaryAllocation(byteCount: 4 * 1_024, alignment: 1) { buffer in
            while case .bytes = receive(into: buffer, until: deadline) {}
        }
    }

    /// Ends sending. The peer receives the end of the stream.
    package func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Breaks the connection, which ends all waits for it. The descriptor stays open.
    package func disconnect() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// Makes closing reset the connection.
    package func resetOnClose() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    package func close() { _ = closeDescriptor(descriptor) }
}

private func closeDescriptor(_ descriptor: Int32) -> Int32 { close(descriptor) }

/// A socket that listens on an address of this machine.
struct ListeningSocket: Sendable {
    let descriptor: Int32
    let port: UInt16

    /// - Parameters:
    ///   - host: A numeric IPv4 or IPv6 address.
    ///   - port: The port; 0 selects a free port.
    init(host: String, port: UInt16) throws(SocketError) {
        guard var address = SocketAddress(host: host, port: port) else {
            throw SocketError("bind to \(host), which is no address in numbers,", code: EINVAL)
        }
        let descriptor = socket(address.family, Platform.streamSocket, 0)
        guard descriptor >= 0 else { throw SocketError("socket") }
        Platform.configure(descriptor)
        // Without the option, closed connections of an earlier server would keep the port in use.
        Platform.setOption(descriptor, SOL_SOCKET, SO_REUSEADDR)
        let failure: SocketError? = address.withPointer { pointer, length in
            if bind(descriptor, pointer, length) != 0 { return SocketError("bind to \(host):\(port)") }
            if listen(descriptor, SOMAXCONN) != 0 { return SocketError("listen") }
            var length = length
            if getsockname(descriptor, pointer, &length) != 0 { return SocketError("getsockname") }
            return nil
        }
        if let failure {
            _ = closeDescriptor(descriptor)
            throw failure
        }
        self.descriptor = descriptor
        self.port = address.port
    }

    enum Acceptance {
        case connection(ConnectionSocket)
        /// No connection is pending.
        case nobody
        /// The system is out of descriptors or memory. An immediate retry would spin.
        case exhausted
    }

    func accept() -> Acceptance {
        #if canImport(Glibc)
            let descriptor = Glibc.accept(self.descriptor, nil, nil)
        #elseif canImport(Musl)
            let descriptor = Musl.accept(self.descriptor, nil, nil)
        #elseif canImport(Darwin)
            let descriptor = Darwin.accept(self.descriptor, nil, nil)
        #endif
        if descriptor >= 0 { return .connection(ConnectionSocket(configuring: descriptor)) }
        switch errno {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted
        default: return .nobody
        }
    }

    func close() { _ = closeDescriptor(descriptor) }
}

/// Wakes a thread out of `poll`.
struct WakePipe: Sendable {
    let readEnd: Int32
    private let writeEnd: Int32

    init() throws(SocketError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SocketError("pipe") }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK)
        }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    /// Wakes the thread. A failed write is ignored: a full pipe wakes it as well.
    func wake() {
        var byte: UInt8 = 1
        _ = write(writeEnd, &byte, 1)
    }

    func drain() {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
            while read(readEnd, buffer.baseAddress, buffer.count) > 0 {}
        }
    }

    func close() {
        _ = closeDescriptor(readEnd)
        _ = closeDescriptor(writeEnd)
    }
}
