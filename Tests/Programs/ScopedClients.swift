// Does one lifecycle for each of 200 tenants, and prints the threads and descriptors of the process while all clients live.
//
// Arguments: base URL, number of clients, which share the lifecycles; optionally the directory of a journal.

import Cycles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@main
struct ScopedClients {
    static let tenants = 200

    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 3, let count = Int(arguments[2]), (1...tenants).contains(count) else {
            fatalError("usage: ScopedClients BASE-URL CLIENTS [JOURNAL]")
        }
        var configuration = CyclesConfiguration(baseURL: arguments[1], apiKey: "")
        configuration.requiresAPIKey = false
        configuration.journal = arguments.count > 3 ? .directory(arguments[3]) : .disabled
        let root = try CyclesClient(configuration: configuration)
        let clients = try (0..<count).map { number in
            try root.scoped(to: Subject(tenant: "t\(number)"), apiKey: "key-\(number)")
        }
        let request = ReservationCreateRequest(action: Action(kind: "k", name: "n"), estimate: .tokens(10))
        for number in 0..<tenants { try await clients[number % count].reserve(request).commit(.tokens(3)) }
        // All threads of the concurrency runtime exist before the count.
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<64 { group.addTask { usleep(2_000) } }
        }
        print("\(entries("/proc/self/task")) \(entries("/proc/self/fd"))")
        await root.shutdown()
    }

    static func entries(_ path: String) -> Int {
        guard let directory = opendir(path) else { return 0 }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        return count
    }
}
