#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// An open directory of the operating system.
final class SystemDirectory: OpenDirectory {
    private let path: String
    private let descriptor: Int32

    init(_ path: String) throws(FileError) {
        self.path = path
        descriptor = openSystemDirectory(path)
        guard descriptor >= 0 else { throw SystemFileSystem.failure("open", path) }
    }

    deinit { SystemFile.close(descriptor) }

    /// The local file systems of Linux by their numbers in `statfs(2)`: ext2 to ext4, xfs, btrfs, f2fs, zfs, tmpfs,
    /// overlay.
    private static let localKinds: Set<UInt32> = [
        0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x2FC1_2FC1, 0x0102_1994, 0x794C_7630,
    ]

    var hasLocks: Bool {
        #if canImport(Darwin)
            var status = statfs()
            guard fstatfs(descriptor, &status) == 0 else { return false }
            return withUnsafeBytes(of: &status.f_fstypename) { $0.starts(with: Array("apfs\0".utf8)) }
        #else
            // The structure begins with the kind, and takes at most 120 bytes.
            var status = [Int](repeating: 0, count: 64)
            guard systemFileSystemStatus(descriptor, &status) == 0 else { return false }
            return Self.localKinds.contains(UInt32(truncatingIfNeeded: status[0]))
        #endif
    }

    func list() throws(FileError) -> [String] { try SystemFileSystem.list(path) }

    func create(_ name: String) throws(FileError) -> any OpenFile {
        let file = SystemFile.aboveStandardStreams(
            openat(descriptor, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        )
        guard file >= 0 else { throw SystemFileSystem.failure("create", path(of: name)) }
        return SystemOpenFile(file, path(of: name))
    }

    func open(_ name: String) throws(FileError) -> (any OpenFile)? {
        // Without O_NONBLOCK, opening a pipe in place of the file would wait.
        let file = SystemFile.aboveStandardStreams(
            openat(descriptor, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        )
        if file < 0, errno == ENOENT { return nil }
        guard file >= 0 else { throw SystemFileSystem.failure("open", path(of: name)) }
        return SystemOpenFile(file, path(of: name))
    }

    func status(of name: String) -> FileStatus? {
        var status = stat()
        guard fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
        return FileStatus(status)
    }

    func rename(_ name: String, to other: String) throws(FileError) {
        guard renameat(descriptor, name, descriptor, other) == 0 else {
            throw SystemFileSystem.failure("rename", path(of: name))
        }
    }

    func remove(_ name: String) throws(FileError) {
        guard unlinkat(descriptor, name, 0) == 0 || errno == ENOENT else {
            throw SystemFileSystem.failure("remove", path(of: name))
        }
    }

    func sync() throws(FileError) { try SystemFileSystem.sync(descriptor, path) }

    private func path(of name: String) -> String { path + "/" + name }
}

/// Declared outside the class, whose own `open` hides the system's.
private func openSystemDirectory(_ path: String) -> Int32 {
    open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
}

#if !canImport(Darwin)
    // The modules of the C libraries do not declare this function.
    @_silgen_name("fstatfs") private func systemFileSystemStatus(
        _ descriptor: Int32,
        _ status: UnsafeMutableRawPointer
    ) -> Int32
#endif

/// An open file of the operating system.
private final class SystemOpenFile: OpenFile {
    private let path: String
    private let process = getpid()
    private let descriptor: Lock<Int32>

    init(_ descriptor: Int32, _ path: String) {
        self.descriptor = Lock(descriptor)
        self.path = path
    }

    deinit { close() }

    func close() {
        let open = descriptor.withLock { descriptor in
            defer { descriptor = -1 }
            return descriptor
        }
        // A forked child has already closed the descriptor, and may have reused its number.
        guard open >= 0, process == getpid() else { return }
        ForkGate.withLockedFiles { descriptors in
            descriptors.remove(open)
            SystemFile.close(open)
        }
    }

    private var open: Int32 { descriptor.withLock { $0 } }

    func lock(isShared: Bool) throws(FileError) -> Bool {
        try ForkGate.withLockedFiles { (descriptors) throws(FileError) in
            while flock(open, (isShared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 {
                if errno == EWOULDBLOCK { return false }
                guard errno == EINTR else { throw SystemFileSystem.failure("lock", path) }
            }
            descriptors.insert(open)
            return true
        }
    }

    func status() throws(FileError) -> FileStatus {
        var status = stat()
        guard fstat(open, &status) == 0 else { throw SystemFileSystem.failure("inspect", path) }
        return FileStatus(status)
    }

    func write(_ bytes: [UInt8], at offset: Int) throws(FileError) {
        let descriptor = open
        let isWritten = bytes.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = pwrite(
                    descriptor,
                    bytes.baseAddress.map { $0 + done },
                    bytes.count - done,
                    off_t(offset + done)
                )
                if count < 0, errno == EINTR { continue }
                if count <= 0 { return false }
                done += count
            }
            return true
        }
        guard isWritten else { throw SystemFileSystem.failure("write", path) }
    }

    func read(limit: Int) throws(FileError) -> [UInt8] {
        let size = try status().size
        guard size <= limit else {
            throw FileError(action: "use", path: path, reason: "it is larger than \(limit) bytes")
        }
        let descriptor = open
        let contents = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let result = pread(descriptor, buffer.baseAddress.map { $0 + count }, size - count, off_t(count))
                if result < 0, errno == EINTR { continue }
                guard result > 0 else { break }
                count += result
            }
        }
        guard contents.count == size else { throw SystemFileSystem.failure("read", path) }
        return contents
    }

    func setModified(atMilliseconds time: Int64) throws(FileError) {
        let descriptor = open
        // The times of the last access and of the last modification.
        let times = [SystemTime](repeating: SystemTime(.milliseconds(time)), count: 2)
        let result = times.withUnsafeBytes {
            futimens(descriptor, $0.assumingMemoryBound(to: timespec.self).baseAddress)
        }
        guard result == 0 else { throw SystemFileSystem.failure("set the time of", path) }
    }

    func sync() throws(FileError) {
        #if canImport(Darwin)
            let result = fcntl(open, F_FULLFSYNC)
        #else
            let result = fdatasync(open)
        #endif
        guard result == 0 else { throw SystemFileSystem.failure("sync", path) }
    }
}

extension FileIdentity {
    init(_ status: stat) {
        self.init(device: UInt64(truncatingIfNeeded: status.st_dev), number: UInt64(truncatingIfNeeded: status.st_ino))
    }
}

extension FileStatus {
    fileprivate init(_ status: stat) {
        self.init(
            identity: FileIdentity(status),
            isOwn: status.st_mode & S_IFMT == S_IFREG && status.st_uid == geteuid(),
            links: Int(status.st_nlink),
            size: Int(status.st_size),
            modifiedAtMilliseconds: SystemTime(modificationOf: status).duration.wholeMilliseconds
        )
    }
}
