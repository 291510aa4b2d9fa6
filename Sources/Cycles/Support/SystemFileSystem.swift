#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The file system of the operating system.
package struct SystemFileSystem: FileSystem {
    package let registry: DirectoryRegistry

    /// Creates a file system.
    /// - Parameter registry: The shared objects; by default those of the process. Clients with different registries
    ///   treat each other as different processes.
    package init(registry: DirectoryRegistry = .ofProcess) { self.registry = registry }

    package var homeDirectory: String? {
        guard let home = getenv("HOME").map({ String(cString: $0) }), home.hasPrefix("/") else { return nil }
        return home
    }

    package var processID: Int32 { getpid() }

    package func prepareDirectory(_ path: String) throws(FileError) {
        try makeDirectory(path)
        var status = stat()
        guard lstat(path, &status) == 0 else { throw Self.failure("inspect", path) }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw refusal(path, "it is not a directory, or a link to one") }
        guard status.st_uid == geteuid() else {
            throw refusal(path, "it belongs to another user; " + remedy(path, status, "a directory of your own"))
        }
        guard status.st_mode & 0o022 == 0 else {
            throw refusal(
                path,
                "its group or others may write to it; "
                    + remedy(path, status, "another directory, or remove that permission (chmod go-w)")
            )
        }
    }

    /// Returns the advice for a directory that cannot be used. Users often cannot change the root of a volume.
    private func remedy(_ path: String, _ status: stat, _ otherwise: String) -> String {
        var above = stat()
        let isRoot =
            lstat(path + "/..", &above) == 0 && (above.st_dev != status.st_dev || above.st_ino == status.st_ino)
        guard isRoot else { return "name \(otherwise)" }
        let name = path.hasSuffix("/") ? path + "cycles" : path + "/cycles"
        return "it is the root of a volume: name a folder below it, such as \(name)"
    }

    /// Creates a directory and missing directories above it, and flushes their names to disk. Files flushed to a
    /// directory are lost if the name of the directory is lost.
    private func makeDirectory(_ path: String) throws(FileError) {
        let parent = SystemFileSystem.parent(of: path)
        var result = mkdir(path, 0o700)
        if result != 0, errno == ENOENT, parent != path {
            try makeDirectory(parent)
            result = mkdir(path, 0o700)
        }
        guard result == 0 else {
            if errno == EEXIST { return }
            throw Self.failure("create", path)
        }
        let descriptor = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        // A directory without read permission cannot be synced.
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        try Self.sync(descriptor, parent)
    }

    /// Flushes a directory's names to disk. Ignores the refusal of some network and FUSE file systems, which keep the
    /// names anyway.
    static func sync(_ directory: Int32, _ path: String) throws(FileError) {
        guard fsync(directory) == 0 || [EINVAL, EBADF, ENOSYS, ENOTSUP, EOPNOTSUPP].contains(errno) else {
            throw Self.failure("sync", path)
        }
    }

    package func createFile(_ path: String, _ contents: [UInt8]) throws(FileError) {
        let descriptor = SystemFile.aboveStandardStreams(
            open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        )
        guard descriptor >= 0 else { throw Self.failure("create", path) }
        var problem: FileError?
        contents.withUnsafeBytes { bytes in
            var rest = bytes
            while !rest.isEmpty {
                let written = SystemFile.write(descriptor, rest)
                guard written > 0 else {
                    problem = Self.failure("write", path)
                    return
                }
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
        }
        if problem == nil, fsync(descriptor) != 0 { problem = Self.failure("sync", path) }
        if close(descriptor) != 0, problem == nil { problem = Self.failure("close", path) }
        guard let problem else { return }
        // Removes the file, which is incomplete.
        unlink(path)
        throw problem
    }

    package func rename(_ path: String, to other: String) throws(FileError) {
        #if canImport(Glibc)
            let result = Glibc.rename(path, other)
        #elseif canImport(Musl)
            let result = Musl.rename(path, other)
        #else
            let result = Darwin.rename(path, other)
        #endif
        guard result == 0 else { throw Self.failure("rename", path) }
    }

    package func remove(_ path: String) throws(FileError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw Self.failure("remove", path) }
    }

    package func syncDirectory(_ path: String) throws(FileError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure("open", path) }
        defer { close(descriptor) }
        try Self.sync(descriptor, path)
    }

    package func list(_ path: String) throws(FileError) -> [String] { try Self.list(path) }

    static func list(_ path: String) throws(FileError) -> [String] {
        guard let directory = opendir(path) else {
            if errno == ENOENT { return [] }
            throw Self.failure("list", path)
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: entry.pointee.d_name)) {
                    String(cString: $0)
                }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    package func read(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
        // Without O_NONBLOCK, opening a pipe in place of the file would wait.
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.failure("open", path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.failure("inspect", path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw refusal(path, "it is not a regular file") }
        guard status.st_size <= limit else { throw refusal(path, "it is larger than \(limit) bytes") }
        var contents: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 * 1_024)
        while contents.count <= limit {
            let count = buffer.withUnsafeMutableBytes { SystemFile.read(descriptor, $0) }
            guard count >= 0 else { throw Self.failure("read", path) }
            if count == 0 { return contents }
            contents += buffer[..<count]
        }
        throw refusal(path, "it is larger than \(limit) bytes")
    }

    package func mayWrite(to directory: String) -> Bool { access(directory, W_OK | X_OK) == 0 }

    package func age(of path: String) -> Duration? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return SystemTime.wall.duration - SystemTime(modificationOf: status).duration
    }

    package func identity(of path: String) -> FileIdentity? {
        var status = stat()
        return stat(path, &status) == 0 ? FileIdentity(status) : nil
    }

    package func openDirectory(_ path: String) throws(FileError) -> any OpenDirectory { try SystemDirectory(path) }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func failure(_ action: String, _ path: String) -> FileError {
        FileError(action: action, path: path, reason: SystemErrors.text(errno))
    }

    private func refusal(_ path: String, _ reason: String) -> FileError {
        FileError(action: "use", path: path, reason: reason)
    }
}
