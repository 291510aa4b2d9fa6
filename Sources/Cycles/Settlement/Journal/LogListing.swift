/// A read-only view of the logs in a journal's directory.
struct LogListing {
    /// The records in the logs of processes that have ended, keyed by the folders of their identities.
    private(set) var entries: [String: [CommitLogContents.Entry]] = [:]
    /// The paths of the logs of running processes.
    private(set) var logsInUse: [String] = []

    /// Reads all unlocked logs. Unreadable logs are omitted; the client that takes them over reports them.
    init(_ files: any FileSystem, base: String) throws(FileError) {
        let folder = LogFolder(files, base: base)
        guard let directory = try folder.open(isMade: false) else { return }
        for name in try directory.list().sorted() where LogFolder.isLog(name) {
            guard let file = try? directory.open(name) else {
                logsInUse.append("\(folder.path)/\(name)")
                continue
            }
            defer { file.close() }
            guard try file.lock(isShared: true) else {
                logsInUse.append("\(folder.path)/\(name)")
                continue
            }
            guard try file.status().isOwn, let bytes = try? file.read(limit: CommitLogFormat.maxBytes),
                let contents = try? CommitLogContents(of: bytes)
            else { continue }
            for entry in contents.entries { entries[entry.fingerprint, default: []].append(entry) }
        }
    }
}
