// Spends, forks, and spends again on both sides: in the child with the client from before the fork, and with another.
//
// Arguments: base URL, journal directory, a file to note the child's open logs in, a file to wait for.

import Cycles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

// Swift hides the call, since most of its runtime does not survive it; blocking clients do.
@_silgen_name("fork") private func fork() -> Int32

/// Has no connection that parent and child would share.
struct UnconnectedTransport: BlockingHTTPTransport {
    let configuration: CyclesConfiguration

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        try CurlTransport(configuration: configuration).send(request)
    }
}

@main
struct ForkingWorker {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 5 else { fatalError("see the comment above") }
        // Each directory has a log of its own.
        let others = try (0..<70).map { try client(arguments[1], arguments[2] + "-\($0)") }
        for (number, other) in others.enumerated() { try spend(other, "other-\(number)") }
        let inherited = try client(arguments[1], arguments[2])
        try spend(inherited, "parent-0")
        guard fork() == 0 else {
            try spend(inherited, "parent-1")
            wait(for: arguments[4])
            try spend(inherited, "parent-2")
            return
        }
        note("\(openLogs)", in: arguments[3])
        try spend(inherited, "child-0")
        wait(for: arguments[4])
        let own = try client(arguments[1], arguments[2])
        try spend(own, "child-1")
        own.shutdown()
        inherited.shutdown()
        _exit(0)
    }

    static func client(_ url: String, _ journal: String) throws -> BlockingCyclesClient {
        var configuration = CyclesConfiguration(baseURL: url, apiKey: "key-of-the-test")
        configuration.tenant = "acme"
        configuration.journal = .directory(journal)
        configuration.retry.initialDelay = .milliseconds(20)
        // No attempt ends for want of an answer while a test holds it back, however slow the machine.
        configuration.connectTimeout = .seconds(120)
        configuration.readTimeout = .seconds(120)
        return try BlockingCyclesClient(
            configuration: configuration,
            transport: UnconnectedTransport(configuration: configuration)
        )
    }

    static func spend(_ client: BlockingCyclesClient, _ key: String) throws {
        let reservation = try client.reserve(
            ReservationCreateRequest(
                action: Action(kind: "k", name: "n"),
                estimate: .tokens(10),
                timeToLive: .seconds(60)
            )
        )
        try reservation.commit(CommitRequest(actual: .tokens(3), idempotencyKey: IdempotencyKey(key)))
    }

    /// The number of descriptors that are open on logs.
    static var openLogs: Int {
        (0..<4_096).count { descriptor in
            var target = [CChar](repeating: 0, count: 4_096)
            guard readlink("/proc/self/fd/\(descriptor)", &target, target.count - 1) > 0 else { return false }
            return strstr(target, "/swift-logs/") != nil
        }
    }

    static func note(_ text: String, in path: String) {
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        text.utf8CString.withUnsafeBytes { _ = write(file, $0.baseAddress, $0.count - 1) }
        close(file)
    }

    /// Waits until a test makes a file, ten minutes at most.
    static func wait(for path: String) {
        for _ in 0..<120_000 where access(path, F_OK) != 0 { usleep(5_000) }
    }
}
