#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The place where a command reports its spend: a file, and a descriptor that appends to it. Both may be used, by any
/// number of processes, and nobody ever waits for a reader.
///
/// The file is in a folder of its own, so that the command may replace it, and is removed with the folder. The folder is
/// locked while this process lives: a folder without a lock was left by a process that is gone.
final class UsageFile: Sendable {
    /// Absolute: the command may run elsewhere.
    let path: String
    let descriptor: Int32
    private let folder: Folder?
    private let isOpen = Lock(true)

    /// Makes the file, for this user only: in `TMPDIR` or `/tmp`, or in memory if neither can be used.
    convenience init() throws(SystemFailure) {
        var places = ["/tmp"]
        if let place = Environment.text("TMPDIR"), let absolute = Files.absolute(place) {
            places.insert(absolute, at: 0)
        }
        try self.init(in: places)
    }

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

    /// Removes the file. Nothing can be read from it afterwards.
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
        // A report needs room, which a file without contents does not.
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

    /// A file without a folder, and a path under which other processes can open it; nil if the system has none.
    private static func makeFileInMemory() -> (path: String, descriptor: Int32)? {
        #if os(Linux)
            let made = systemMemoryFile("cycles-usage", 1)
            guard made >= 0 else { return nil }
            _ = fchmod(made, 0o600)
            // A program need not inherit the descriptor to open this path, as it must for one under /dev/fd.
            let path = "/proc/\(getpid())/fd/"
            let descriptor = open(path + String(made), O_RDWR | O_APPEND | O_CLOEXEC)
            close(made)
            return descriptor >= 0 ? (path + String(descriptor), descriptor) : nil
        #else
            return nil
        #endif
    }

    // MARK: Reading

    /// Gives the report to `body`, piece by piece: the contents of the file that has the name now, or, if the name is gone,
    /// of the file that had it.
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
    /// The C library's call, which its Swift module leaves out.
    @_silgen_name("memfd_create")
    private func systemMemoryFile(_ name: UnsafePointer<CChar>, _ flags: UInt32) -> Int32
#endif

extension UsageFile {
    /// A folder for one file, with a lock that lasts as long as this process.
    private struct Folder: Sendable {
        private static let prefix = "cycles-usage-"

        let path: String
        private let lock: Int32

        init(in place: String) throws(SystemFailure) {
            // Another process may remove a folder between its making and its lock.
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
                    // Without locks, others could not tell that the folder is in use.
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

        /// Whether a path still names an open folder. If it does not, `errno` is ENOENT.
        private static func isNamed(_ path: String, _ descriptor: Int32) -> Bool {
            var (own, found) = (stat(), stat())
            guard fstat(descriptor, &own) == 0, lstat(path, &found) == 0 else { return false }
            if (own.st_dev, own.st_ino) == (found.st_dev, found.st_ino) { return true }
            errno = ENOENT
            return false
        }

        /// Removes the folder with the files in it, and gives up the lock.
        func remove() {
            for name in Folder.names(in: lock) { unlinkat(lock, name, 0) }
            rmdir(path)
            close(lock)
        }

        /// Removes the folders of processes of this user that have ended without removing them.
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
            // Reading moves a position that all copies of a descriptor share.
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
