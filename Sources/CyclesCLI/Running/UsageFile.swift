#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The file for usage reports of a command, and a descriptor that appends to it. Any number of processes can use both,
/// and no write blocks.
///
/// The file has its own folder, so that the command can replace the file. Both are removed at the end. The folder is
/// locked while this process lives: a folder without a lock was left by a process that has ended.
final class UsageFile: Sendable {
    /// The absolute path of the file, because the command may change its directory.
    let path: String
    let descriptor: Int32
    private let folder: Folder?
    private let isOpen = Lock(true)

    /// Creates the file, for this user only: in `TMPDIR` or `/tmp`, or in memory if neither can be used.
    convenience init() throws(SystemFailure) { try self.init(in: UsageFile.places) }

    /// The directories to try, in order.
    static var places: [String] {
        guard let place = Environment.text("TMPDIR"), let absolute = Files.absolute(place) else { return ["/tmp"] }
        return absolute == "/tmp" ? ["/tmp"] : [absolute, "/tmp"]
    }

    /// Whether no directory could be used.
    var isInMemory: Bool { folder == nil }

    init(in places: [String]) throws(SystemFailure) {
        var failure: SystemFailure?
        for place in places {
            do throws(SystemFailure) {
                let folder = try Folder(in: place)
                do throws(SystemFailure) {
                    (path, descriptor) = try UsageFile.makeFile(in: folder)
                } catch {
                    folder.remove()
                    throw error
                }
                self.folder = folder
                Folder.removeAbandoned(in: place)
                return
            } catch {
                failure = failure ?? error
            }
        }
        guard let memory = UsageFile.makeFileInMemory() else {
            throw failure ?? SystemFailure("create", "a file for usage reports", code: ENOENT)
        }
        (path, descriptor) = memory
        folder = nil
    }

    deinit { remove() }

    /// Removes the file. It cannot be read afterwards.
    func remove() {
        isOpen.withLock { isOpen in
            guard isOpen else { return }
            isOpen = false
            close(descriptor)
            folder?.remove()
        }
    }

    private static func makeFile(in folder: Folder) throws(SystemFailure) -> (path: String, descriptor: Int32) {
        let path = folder.path + "/report"
        let descriptor = open(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemFailure("create a file for usage reports in", folder.path) }
        // Checks that the file system has room for a report.
        guard fchmod(descriptor, 0o600) == 0,
            SystemCalls.writeAll(descriptor, [UInt8](repeating: UInt8(ascii: "\n"), count: 4_096)),
            ftruncate(descriptor, 0) == 0
        else {
            let failure = SystemFailure("write usage reports in", folder.path)
            close(descriptor)
            throw failure
        }
        return (path, descriptor)
    }

    /// Creates a file in memory, and a path under which other processes can open it; nil if the system has no such
    /// files.
    private static func makeFileInMemory() -> (path: String, descriptor: Int32)? {
        #if os(Linux)
            let made = systemMemoryFile("cycles-usage", 1)
            guard made >= 0 else { return nil }
            _ = fchmod(made, 0o600)
            // Unlike a path under /dev/fd, this path can be opened without inheriting the descriptor.
            let path = "/proc/\(getpid())/fd/"
            let descriptor = open(path + String(made), O_RDWR | O_APPEND | O_CLOEXEC)
            close(made)
            return descriptor >= 0 ? (path + String(descriptor), descriptor) : nil
        #else
            return nil
        #endif
    }

    // MARK: Reading

    /// Passes the report to `body`, piece by piece. Reads the file that currently has the path or, if there is none,
    /// the original file.
    func read(_ body: ([UInt8]) -> Void) throws(SystemFailure) {
        var named: Int32 = -1
        if folder != nil {
            named = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            guard named >= 0 || errno == ENOENT || errno == ENOTDIR else { throw SystemFailure("read", path) }
        }
        guard named >= 0 else { return try read(descriptor, body) }
        defer { close(named) }
        var status = stat()
        guard fstat(named, &status) == 0 else { throw SystemFailure("read", path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw SystemFailure("read", path, code: EINVAL) }
        try read(named, body)
    }

    private func read(_ descriptor: Int32, _ body: ([UInt8]) -> Void) throws(SystemFailure) {
        var buffer = [UInt8](repeating: 0, count: 64 * 1_024)
        var offset: off_t = 0
        while true {
            let count = pread(descriptor, &buffer, buffer.count, offset)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemFailure("read", path) }
            if count == 0 { return }
            body(Array(buffer[..<count]))
            offset += off_t(count)
        }
    }
}

#if os(Linux)
    /// The C library's function, which its Swift module omits.
    @_silgen_name("memfd_create")
    private func systemMemoryFile(_ name: UnsafePointer<CChar>, _ flags: UInt32) -> Int32
#endif

extension UsageFile {
    /// A folder for one file, locked while this process lives.
    private struct Folder: Sendable {
        private static let prefix = "cycles-usage-"

        let path: String
        private let lock: Int32

        init(in place: String) throws(SystemFailure) {
            // Another process may remove a folder before it is locked.
            for _ in 0..<10 {
                guard let template = strdup("\(place)/\(Folder.prefix)XXXXXX") else { break }
                defer { free(template) }
                guard mkdtemp(template) != nil else { throw Folder.failure(place) }
                let path = String(cString: template)
                chmod(path, 0o700)
                let lock = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                if lock >= 0 {
                    if SystemCalls.lock(lock), Folder.isNamed(path, lock) {
                        (self.path, self.lock) = (path, lock)
                        return
                    }
                    let code = errno
                    close(lock)
                    // Without a lock, other processes would remove the folder.
                    guard code == EWOULDBLOCK || code == ENOENT else {
                        rmdir(path)
                        throw Folder.failure(place, code)
                    }
                } else if errno != ENOENT {
                    let code = errno
                    rmdir(path)
                    throw Folder.failure(place, code)
                }
            }
            throw Folder.failure(place, EAGAIN)
        }

        private init(path: String, lock: Int32) { (self.path, self.lock) = (path, lock) }

        private static func failure(_ place: String, _ code: Int32 = errno) -> SystemFailure {
            SystemFailure("create a file for usage reports in", place, code: code)
        }

        /// Whether a path still names an open folder. Sets `errno` to ENOENT if not.
        private static func isNamed(_ path: String, _ descriptor: Int32) -> Bool {
            var (own, found) = (stat(), stat())
            guard fstat(descriptor, &own) == 0, lstat(path, &found) == 0 else { return false }
            if (own.st_dev, own.st_ino) == (found.st_dev, found.st_ino) { return true }
            errno = ENOENT
            return false
        }

        /// Removes the folder with its files, and releases the lock.
        func remove() {
            for name in Folder.names(in: lock) { unlinkat(lock, name, 0) }
            rmdir(path)
            close(lock)
        }

        /// Removes the folders that ended processes of this user have left.
        static func removeAbandoned(in place: String) {
            let directory = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard directory >= 0 else { return }
            defer { close(directory) }
            for name in names(in: directory) where name.hasPrefix(prefix) {
                let path = "\(place)/\(name)"
                let lock = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
                guard lock >= 0 else { continue }
                var status = stat()
                if fstat(lock, &status) == 0, status.st_uid == geteuid(), SystemCalls.lock(lock), isNamed(path, lock) {
                    Folder(path: path, lock: lock).remove()
                } else {
                    close(lock)
                }
            }
        }

        private static func names(in folder: Int32) -> [String] {
            // Opened again, because reading moves the position that all copies of a descriptor share.
            let copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard copy >= 0 else { return [] }
            guard let entries = fdopendir(copy) else {
                close(copy)
                return []
            }
            defer { closedir(entries) }
            var names: [String] = []
            while let entry = readdir(entries) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 1) { String(cString: $0) }
                }
                if name != ".", name != ".." { names.append(name) }
            }
            return names
        }
    }
}
