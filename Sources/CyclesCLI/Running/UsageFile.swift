#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where a command says what it used: a file, and a descriptor that appends to it. Both may be used, by any number of
/// processes, and nobody ever waits for a reader.
struct UsageFile: ~Copyable {
    let path: String
    let descriptor: Int32

    /// A new file in the directory for temporary files, for this user only.
    init() throws(SystemFailure) {
        let directory = Environment.text("TMPDIR") ?? "/tmp"
        guard let template = strdup("\(directory)/cycles-usage-XXXXXX") else {
            throw SystemFailure("create a file for usage reports in", directory)
        }
        defer { free(template) }
        let made = mkstemp(template)
        guard made >= 0 else { throw SystemFailure("create a file for usage reports in", directory) }
        let path = String(cString: template)
        // What mkstemp opens does not append, and would be inherited by everything.
        let descriptor = open(path, O_RDWR | O_APPEND | O_CLOEXEC)
        let code = errno
        close(made)
        guard descriptor >= 0 else {
            unlink(path)
            throw SystemFailure("open", path, code: code)
        }
        self.path = path
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    /// Gives `body` what was reported, piece by piece: through the descriptor, whatever became of the name, and then from
    /// another file that has the name by now.
    func read(_ body: ([UInt8]) -> Void) throws(SystemFailure) {
        try UsageFile.read(descriptor, path, body)
        let other = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard other >= 0 else { return }
        defer { close(other) }
        var (own, found) = (stat(), stat())
        guard fstat(descriptor, &own) == 0, fstat(other, &found) == 0, found.st_mode & S_IFMT == S_IFREG,
            (own.st_dev, own.st_ino) != (found.st_dev, found.st_ino)
        else { return }
        try UsageFile.read(other, path, body)
    }

    private static func read(_ descriptor: Int32, _ path: String, _ body: ([UInt8]) -> Void) throws(SystemFailure) {
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
