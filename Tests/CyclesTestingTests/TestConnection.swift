import Cycles
import CyclesTesting
import Testing

/// A client on a bare socket, with a time limit on everything, so that a server that hangs fails a test instead of
/// holding it up.
final class TestConnection {
    struct Answer: Equatable {
        var status: Int
        var headers: HTTPHeaders
        var body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
    }

    private let socket: ConnectionSocket
    private let patience: Duration
    private var unread: [UInt8] = []
    private var isClosed = false
    /// Whether the peer ended the connection by a reset.
    private(set) var wasReset = false

    init(port: UInt16, patience: Duration = .seconds(10)) throws {
        socket = try ConnectionSocket.connect(port: port)
        self.patience = patience
    }

    deinit { socket.close() }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool { socket.send(bytes, until: ContinuousClock.now + patience) }

    /// Closes so that the peer sees a reset.
    func reset() { socket.resetOnClose() }

    /// Whether something can be read, or the connection ended.
    var hasInput: Bool { socket.hasInput }

    /// One answer; nil if the connection ended without one.
    func answer(withoutBody: Bool = false) throws -> Answer? {
        guard let head = try read(through: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: head.dropLast(4), as: UTF8.self).split(separator: "\r\n")
        let status = try #require(Int(lines[0].split(separator: " ", omittingEmptySubsequences: false)[1]))
        var headers = HTTPHeaders()
        for line in lines.dropFirst() {
            let colon = try #require(line.firstIndex(of: ":"))
            headers.append(
                name: String(line[..<colon]),
                value: String(line[line.index(after: colon)...].drop { $0 == " " })
            )
        }
        let length = withoutBody ? 0 : headers["Content-Length"].flatMap { Int($0) } ?? 0
        while unread.count < length { guard try receive() else { break } }
        let body = Array(unread.prefix(length))
        unread.removeFirst(body.count)
        return Answer(status: status, headers: headers, body: body)
    }

    /// All that comes up to the end of the connection.
    func rest() throws -> [UInt8] {
        while try receive() {}
        defer { unread = [] }
        return unread
    }

    /// Bytes through the next occurrence of a mark; nil if the connection ended first.
    private func read(through mark: [UInt8]) throws -> [UInt8]? {
        var start = 0
        while true {
            while start + mark.count <= unread.count {
                if Array(unread[start..<(start + mark.count)]) == mark {
                    let result = Array(unread[..<(start + mark.count)])
                    unread.removeFirst(result.count)
                    return result
                }
                start += 1
            }
            guard try receive() else { return nil }
        }
    }

    /// False at the end of the connection.
    private func receive() throws -> Bool {
        guard !isClosed else { return false }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1_024, alignment: 1)
        defer { buffer.deallocate() }
        let receipt = socket.receive(into: buffer, until: ContinuousClock.now + patience)
        wasReset = receipt == .broken
        switch receipt {
        case .bytes(let count):
            unread += buffer[..<count]
            return true
        case .closed, .broken:
            isClosed = true
            return false
        case .timedOut:
            Issue.record("The server said nothing for \(patience).")
            throw HTTPTransportError(kind: .timedOut, message: "The server said nothing.")
        }
    }
}

/// Waits for what another thread brings about; false if it does not within ten seconds.
func eventually(_ condition: () -> Bool) -> Bool {
    let deadline = ContinuousClock.now + .seconds(10)
    while ContinuousClock.now < deadline {
        if condition() { return true }
        SystemThread.yield()
    }
    return condition()
}
