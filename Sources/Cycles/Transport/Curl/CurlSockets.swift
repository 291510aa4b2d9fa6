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
/// libcurl 7.88 tells a callback which connection a request is about to use only by its addresses.
final class CurlSockets {
    /// Whether a transfer has begun to make a connection since somebody looked and set this to false.
    var hasNewConnections = false

    /// Sockets that have no local port yet, or none that was asked for.
    private var unnamed: Set<Int32> = []
    /// `ambiguous` where several sockets, to different servers, have the same local port.
    private var byPort: [UInt16: Int32] = [:]
    private var ports: [Int32: UInt16] = [:]

    private static let ambiguous: Int32 = -1

    func insert(_ socket: Int32) { unnamed.insert(socket) }

    /// Closes a socket for libcurl.
    func close(_ socket: Int32) -> Int32 {
        unnamed.remove(socket)
        if let port = ports.removeValue(forKey: socket) { byPort[port] = nil }
        return closeDescriptor(socket)
    }

    /// Whether the socket with a local port has bytes to read, has been closed by the peer, or is broken. False if there
    /// is no such socket.
    func hasInput(localPort: UInt16) -> Bool {
        guard let socket = socket(localPort: localPort), socket != CurlSockets.ambiguous else { return false }
        var byte: UInt8 = 0
        let count = recv(socket, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
    }

    private func socket(localPort: UInt16) -> Int32? {
        if let known = byPort[localPort] { return known }
        // A socket gets its port while it connects, so the ports of new sockets are read at their first request.
        for socket in unnamed {
            guard let port = CurlSockets.localPort(of: socket), port > 0 else { continue }
            unnamed.remove(socket)
            byPort[port] = byPort[port] == nil ? socket : CurlSockets.ambiguous
            ports[socket] = port
        }
        return byPort[localPort]
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
