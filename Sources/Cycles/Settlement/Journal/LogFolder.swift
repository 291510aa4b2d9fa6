/// The folder of commit logs below a journal's directory.
package struct LogFolder: Sendable {
    package static let name = "swift-logs"

    private let files: any FileSystem
    private let base: String
    package let path: String

    package init(_ files: any FileSystem, base: String) {
        self.files = files
        self.base = base
        path = base + "/" + LogFolder.name
    }

    /// Whether a file's name is that of a commit log.
    package static func isLog(_ name: String) -> Bool { name.hasSuffix(".log") }

    /// Opens the folder.
    /// - Parameter isMade: Whether to make a missing folder.
    /// - Returns: Nil if the folder does not exist.
    package func open(isMade: Bool) throws(FileError) -> (any OpenDirectory)? {
        if isMade {
            try files.prepareDirectory(base)
        } else if files.identity(of: path) == nil {
            return nil
        }
        try files.prepareDirectory(path)
        return try files.openDirectory(path)
    }

    /// Makes a log that contains the given records.
    /// - Parameter isFirst: Whether the process has no other log.
    /// - Returns: Nil if logs are not used on this file system, or if no log has room for the records.
    package func makeLog(
        holding records: [CommitLog.Key: CommitLog.Record],
        isFirst: Bool
    ) throws(FileError) -> OpenLog? {
        guard let directory = try open(isMade: true), directory.hasLocks,
            let size = CommitLog.size(for: records.values, isFirst: isFirst)
        else { return nil }
        var log = CommitLog(CommitLogFormat.LogID(SystemRandomness.words()), size: size)
        for (key, record) in records where !log.put(key, record) { return nil }
        let name = "\(files.processID)-\(JournalNames.randomMark())"
        let file = try directory.create(name + ".tmp")
        do throws(FileError) {
            guard try file.lock(isShared: false) else {
                throw FileError(action: "lock", path: "\(path)/\(name).tmp", reason: "another process has the lock")
            }
            var bytes = CommitLogFormat.header(log.id)
            if log.hasUnwritten { bytes += log.write().bytes }
            bytes += [UInt8](repeating: 0, count: size - bytes.count)
            try file.write(bytes, at: 0)
            try file.sync()
            try directory.rename(name + ".tmp", to: name + ".log")
            try directory.sync()
        } catch {
            for name in [name + ".tmp", name + ".log"] { try? directory.remove(name) }
            throw error
        }
        log.synced()
        return OpenLog(log, file, directory, name: name + ".log")
    }
}

/// A commit log of this process and its file.
package struct OpenLog: Sendable {
    package var log: CommitLog
    package let name: String
    private let file: any OpenFile
    private let directory: any OpenDirectory

    fileprivate init(_ log: CommitLog, _ file: any OpenFile, _ directory: any OpenDirectory, name: String) {
        self.log = log
        self.file = file
        self.directory = directory
        self.name = name
    }

    /// Whether the log's file was removed.
    package var isGone: Bool {
        get throws(FileError) { try file.status().links == 0 }
    }

    /// Writes the next batch.
    package mutating func write() throws(FileError) {
        guard log.hasUnwritten else { return }
        let (bytes, offset) = log.write()
        try file.write(bytes, at: offset)
    }

    /// Writes the next batch and waits for the sync.
    package mutating func sync() throws(FileError) {
        guard log.hasUnsynced else { return }
        try write()
        try file.sync()
        log.synced()
    }

    /// Empties the log for use as a successor. Its records are stored elsewhere or settled.
    package mutating func clear() throws(FileError) {
        let (bytes, offset) = log.clear()
        try file.write(bytes, at: offset)
        try file.sync()
    }

    /// Removes the log. Its records are stored elsewhere or settled.
    package func remove() throws(FileError) {
        defer { file.close() }
        try directory.remove(name)
        try directory.sync()
    }
}
