import CyclesTesting

/// Where the authority's state is kept. Another server that uses the same file is refused.
struct StateFile: Sendable {
    let path: String

    init(_ name: String) throws {
        // The file itself, so that a link to it is neither replaced nor another lock.
        path = Files.resolved(name)
        guard !Files.isDirectory(path) else {
            throw ToolFailure("cycles serve: \(path) is a directory; name a file with --state", status: .misuse)
        }
        let isFree: Bool
        do throws(SystemFailure) {
            isFree = try Files.lock(path + ".lock")
        } catch {
            throw ToolFailure("cycles serve: \(error); name another file with --state")
        }
        guard isFree else {
            throw ToolFailure("cycles serve: another server keeps its state in \(path); name another file with --state")
        }
    }

    /// Nil if there is no file yet.
    func contents() throws -> [UInt8]? {
        guard Files.exists(path) else { return nil }
        do throws(SystemFailure) {
            return try Files.read(path, limit: 1 << 30)
        } catch {
            throw ToolFailure("cycles serve: \(error)")
        }
    }

    func save(_ authority: LocalAuthority) throws(SystemFailure) {
        try Files.replace(path, with: authority.snapshot())
    }
}
