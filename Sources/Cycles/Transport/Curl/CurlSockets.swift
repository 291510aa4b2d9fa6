import CCurl

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The sockets of a multi handle's connections, found by their local ports.
///
/// libcurl 7.88 identifies the connection of a request to a callback only by its addresses.
final class CurlSockets {
    /// Whether a transfer has begun to make a connection since the flag was reset.
    var hasNewConnections = false

    /// The local port is 0 until it is looked up: a socket gets its port while it connects.
    private var open: [(descriptor: Int32, port: UInt16)] = []

    func insert(_ socket: Int32) { open.append((socket, 0)) }

    /// Closes a socket for libcurl.
    func close(_ socket: Int32) -> Int32 {
        open.removeAll { $0.descriptor == socket }
        return closeDescriptor(socket)
    }

    /// Whether the socket with a local port has bytes to read, has been closed by the peer, or is broken. False if no
    /// socket or several sockets match.
    func hasInput(localPort: UInt16) -> Bool {
        guard localPort > 0 else { return false }
        if sockets(localPort).count == 0 {
            for index in open.indices where open[index].port == 0 {
                open[index].port = CurlSockets.localPort(of: open[index].descriptor) ?? 0
            }
        }
        let (count, descriptor) = sockets(localPort)
        guard count == 1 else { return false }
        var byte: UInt8 = 0
        let length = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return length >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
    }

    /// The number of sockets with a local port, and the last of them.
    private func sockets(_ port: UInt16) -> (count: Int, last: Int32) {
        open.reduce((0, -1)) { $1.port == port ? ($0.count + 1, $1.descriptor) : $0 }
    }

    private static func localPort(of socket: Int32) -> UInt16? {
        var address = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &size) }
        }
        guard result == 0 else { return nil }
        let family = Int32(address.ss_family)
        return withUnsafePointer(to: &address) { pointer in
            switch family {
            case AF_INET:
                pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { UInt16(bigEndian: $0.pointee.sin_port) }
            case AF_INET6:
                pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    UInt16(bigEndian: $0.pointee.sin6_port)
                }
            default: nil
            }
        }
    }
}

private func closeDescriptor(_ descriptor: Int32) -> Int32 { close(descriptor) }
