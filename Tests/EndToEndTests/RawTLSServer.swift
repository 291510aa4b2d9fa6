#if os(Linux)
    import Cycles
    import Foundation

    /// `openssl s_server` on a free port of 127.0.0.1, one connection at a time: it answers every request over TLS, and says
    /// what it is told to besides.
    final class RawTLSServer: Sendable {
        let port: Int
        private let process: Process
        private let input: FileHandle
        private let output: FileHandle

        /// - Parameter folder: Where a `TLSTerminator` has its certificates.
        init(folder: URL) throws {
            port = try freePort()
            process = Process()
            // The shell ends the server when its standard input ends, which it does however this process ends.
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = [
                "-c",
                """
                mkfifo input.$0
                openssl s_server -accept 127.0.0.1:$0 -cert server.pem -key server.key -quiet < input.$0 & server=$!
                cat > input.$0; kill -9 $server; wait
                """, "\(port)",
            ]
            process.currentDirectoryURL = folder
            let (input, output) = (Pipe(), Pipe())
            self.input = input.fileHandleForWriting
            self.output = output.fileHandleForReading
            process.standardInput = input
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            self.output.readabilityHandler = { [input = self.input] handle in
                let data = handle.availableData
                if data.isEmpty { handle.readabilityHandler = nil }
                guard data.suffix(4) == Data("\r\n\r\n".utf8) else { return }
                try? input.write(contentsOf: Data("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".utf8))
            }
            try process.run()
            // A connection that only looks is one that the server takes and gives up.
            while process.isRunning, !isListening(port) { pause(.milliseconds(5)) }
        }

        deinit {
            output.readabilityHandler = nil
            try? input.close()
        }

        /// Sends bytes on the connection that is open.
        func say(_ text: String) { try? input.write(contentsOf: Data(text.utf8)) }

        /// Whether something has arrived at the client, in this process, that it has not read.
        var hasClientInput: Bool {
            var byte: UInt8 = 0
            return clients.contains { recv($0.descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) > 0 }
        }

        /// The local ports of the clients' connections.
        var clientPorts: Set<UInt16> { Set(clients.map(\.port)) }

        /// The sockets of this process that are connected to the server.
        private var clients: [(descriptor: Int32, port: UInt16)] {
            ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []).compactMap { name in
                guard let descriptor = Int32(name),
                    RawTLSServer.port(descriptor, getpeername) == UInt16(port)
                else { return nil }
                return RawTLSServer.port(descriptor, getsockname).map { (descriptor, $0) }
            }
        }

        private static func port(
            _ descriptor: Int32,
            _ name: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
        ) -> UInt16? {
            var address = sockaddr_in()
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { name(descriptor, $0, &size) }
            }
            return result == 0 && Int32(address.sin_family) == AF_INET ? UInt16(bigEndian: address.sin_port) : nil
        }
    }
#endif
