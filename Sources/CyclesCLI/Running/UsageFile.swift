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
    /// More than any report needs. What is beyond is not read.
    private static let limit = 1_024 * 1_024

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
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
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

    /// What was reported.
    func contents() throws(SystemFailure) -> String {
        String(decoding: try Files.read(path, limit: UsageFile.limit), as: UTF8.self)
    }
}
