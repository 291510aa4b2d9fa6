import CyclesTesting

/// The file with the authority's state. A second server with the same file is refused.
struct StateFile: Sendable {
    let path: String

    init(_ name: String) throws {
        // Links are resolved, so that no link is replaced, and all paths to a file share one lock.
        path = Files.resolved(name)
        guard !Files.isDirectory(path) else {
            throw ToolFailure("\(path) is a directory; name a file with --state", status: .misuse)
        }
        let isFree: Bool
        do throws(SystemFailure) {
            isFree = try Files.lock(path + ".lock")
        } catch {
            throw ToolFailure("\(error); name another file with --state")
        }
        guard isFree else {
            throw ToolFailure("another server keeps its state in \(path); name another file with --state")
        }
    }

    /// The contents of the file; nil if it does not exist.
    func contents() throws -> [UInt8]? {
        guard Files.exists(path) else { return nil }
        do throws(SystemFailure) {
            return try Files.read(path, limit: 1 << 30)
        } catch {
            throw ToolFailure("\(error)")
        }
    }

    func save(_ authority: LocalAuthority) throws(SystemFailure) {
        try Files.replace(path, with: authority.snapshot())
    }
}
