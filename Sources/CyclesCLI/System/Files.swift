#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A failed system call, with its subject and error number.
struct SystemFailure: Error, CustomStringConvertible {
    var action: String
    var subject: String
    var code: Int32

    init(_ action: String, _ subject: String, code: Int32 = errno) {
        self.action = action
        self.subject = subject
        self.code = code
    }

    var description: String { "cannot \(action) \(subject): \(String(cString: strerror(code)))" }
}

/// Operations on files.
enum Files {
    /// Reads a whole file.
    static func read(_ path: String, limit: Int) throws(SystemFailure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemFailure("open", path) }
        defer { close(descriptor) }
        return try read(descriptor, path, limit: limit)
    }

    /// Reads a whole file, or standard input if its name is `-`.
    static func contents(_ name: String, limit: Int) throws(SystemFailure) -> [UInt8] {
        name == "-" ? try read(STDIN_FILENO, "standard input", limit: limit) : try read(name, limit: limit)
    }

    private static func read(_ descriptor: Int32, _ path: String, limit: Int) throws(SystemFailure) -> [UInt8] {
        var contents: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1_024)
        while true {
            let count = buffer.withUnsafeMutableBytes { SystemCalls.read(descriptor, $0) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw SystemFailure("read", path) }
            if count == 0 { return contents }
            contents += buffer[..<count]
            guard contents.count <= limit else { throw SystemFailure("read", path, code: EFBIG) }
        }
    }

    /// Takes a lock for the lifetime of this process. Returns false if another process has it.
    static func lock(_ path: String) throws(SystemFailure) -> Bool {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemFailure("open", path) }
        if SystemCalls.lock(descriptor) { return true }
        let code = errno
        close(descriptor)
        guard code == EWOULDBLOCK else { throw SystemFailure("lock", path, code: code) }
        return false
    }

    /// Whether users other than the owner may read a file.
    static func isReadableByOthers(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & 0o044 != 0
    }

    /// The path of this tool, or its name if it was found by PATH.
    static var program: String {
        let word = CommandLine.arguments.first ?? "cycles"
        return word.utf8.contains(UInt8(ascii: "/")) ? resolved(word) : word
    }

    /// The absolute form of a path; nil if the current directory has no path.
    static func absolute(_ path: String) -> String? {
        if path.hasPrefix("/") { return path }
        guard let here = getcwd(nil, 0) else { return nil }
        defer { free(here) }
        let folder = String(cString: here)
        return folder.hasPrefix("/") ? "\(folder == "/" ? "" : folder)/\(path)" : nil
    }

    /// The path of a file with all links resolved. The file itself need not exist.
    static func resolved(_ path: String) -> String {
        if let real = realPath(path) { return real }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard let name = parts.last, !name.isEmpty, name != ".", name != ".." else { return path }
        let folder = parts.count == 1 ? "." : parts.dropLast().joined(separator: "/") + "/"
        guard let real = realPath(folder) else { return path }
        return real == "/" ? "/\(name)" : "\(real)/\(name)"
    }

    private static func realPath(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Replaces a file's contents atomically: readers see the old or the new contents, even after a crash.
    static func replace(_ path: String, with contents: [UInt8]) throws(SystemFailure) {
        let temporary = "\(path).\(getpid()).tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemFailure("create", temporary) }
        var failure: SystemFailure?
        if !SystemCalls.writeAll(descriptor, contents) { failure = SystemFailure("write", temporary) }
        if failure == nil, fsync(descriptor) != 0 { failure = SystemFailure("sync", temporary) }
        if close(descriptor) != 0, failure == nil { failure = SystemFailure("close", temporary) }
        if failure == nil, SystemCalls.rename(temporary, path) != 0 { failure = SystemFailure("rename to", path) }
        if let failure {
            unlink(temporary)
            throw failure
        }
        // Syncs the directory, to make the rename durable. A file system without this operation keeps the name anyway.
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if directory >= 0 {
            fsync(directory)
            close(directory)
        }
    }
}

/// System calls whose names are shadowed in this module.
enum SystemCalls {
    static func read(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        #if canImport(Glibc)
            Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        #elseif canImport(Musl)
            Musl.read(descriptor, buffer.baseAddress, buffer.count)
        #else
            Darwin.read(descriptor, buffer.baseAddress, buffer.count)
        #endif
    }

    static func rename(_ path: String, _ other: String) -> Int32 {
        #if canImport(Glibc)
            Glibc.rename(path, other)
        #elseif canImport(Musl)
            Musl.rename(path, other)
        #else
            Darwin.rename(path, other)
        #endif
    }

    /// Writes all bytes. Returns false on failure, with the reason in `errno`.
    @discardableResult
    static func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let slice = UnsafeRawBufferPointer(rebasing: rest)
                #if canImport(Glibc)
                    let count = Glibc.write(descriptor, slice.baseAddress, slice.count)
                #elseif canImport(Musl)
                    let count = Musl.write(descriptor, slice.baseAddress, slice.count)
                #else
                    let count = Darwin.write(descriptor, slice.baseAddress, slice.count)
                #endif
                if count < 0 && errno == EINTR { continue }
                // Another program may have made a shared terminal or pipe non-blocking.
                if count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && waitUntilWritable(descriptor) { continue }
                if count == 0 { errno = EIO }
                guard count > 0 else { return false }
                rest = rest.dropFirst(count)
            }
            return true
        }
    }

    private static func waitUntilWritable(_ descriptor: Int32) -> Bool { wait(descriptor, for: Int16(POLLOUT)) }

    private static func wait(_ descriptor: Int32, for events: Int16) -> Bool {
        var entry = pollfd(fd: descriptor, events: events, revents: 0)
        return poll(&entry, 1, -1) > 0 || errno == EINTR
    }

    /// Reads at least one byte. Returns 0 at the end of the input, and a negative number on failure.
    static func readSome(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        while true {
            let count = read(descriptor, buffer)
            if count < 0 && errno == EINTR { continue }
            // Another program may have made a shared terminal or pipe non-blocking.
            let isEmpty = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)
            guard isEmpty, wait(descriptor, for: Int16(POLLIN)) else { return count }
        }
    }

    static func lock(_ descriptor: Int32) -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

    static func ignore(_ signal: Int32) {
        #if canImport(Glibc)
            _ = Glibc.signal(signal, SIG_IGN)
        #elseif canImport(Musl)
            _ = Musl.signal(signal, SIG_IGN)
        #else
            _ = Darwin.signal(signal, SIG_IGN)
        #endif
    }

    static func useDefault(for signal: Int32) {
        #if canImport(Glibc)
            _ = Glibc.signal(signal, SIG_DFL)
        #elseif canImport(Musl)
            _ = Musl.signal(signal, SIG_DFL)
        #else
            _ = Darwin.signal(signal, SIG_DFL)
        #endif
    }

    /// Whether an error number means that the system is out of threads, file descriptors or memory.
    static func isShortage(_ code: Int32) -> Bool { [EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) }

    /// Installs a handler that does nothing.
    static func useNoAction(for signal: Int32) {
        #if canImport(Glibc)
            _ = Glibc.signal(signal) { _ in }
        #elseif canImport(Musl)
            _ = Musl.signal(signal) { _ in }
        #else
            _ = Darwin.signal(signal) { _ in }
        #endif
    }

    /// Reads the limit on the size of core files. Returns false if the system does not report it.
    static func coreLimit(_ limit: inout rlimit) -> Bool {
        #if canImport(Glibc)
            getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit) == 0
        #else
            getrlimit(RLIMIT_CORE, &limit) == 0
        #endif
    }

    static func setCoreLimit(_ limit: rlimit) {
        var limit = limit
        #if canImport(Glibc)
            setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
        #else
            setrlimit(RLIMIT_CORE, &limit)
        #endif
    }

    /// Waits for a signal.
    static func pause() {
        #if canImport(Glibc)
            _ = Glibc.pause()
        #elseif canImport(Musl)
            _ = Musl.pause()
        #else
            _ = Darwin.pause()
        #endif
    }

    static func exit(_ status: Int32) -> Never {
        #if canImport(Glibc)
            Glibc.exit(status)
        #elseif canImport(Musl)
            Musl.exit(status)
        #else
            Darwin.exit(status)
        #endif
    }
}
