#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file whose first line is an API key.
enum KeyFile {
    /// The maximum number of bytes that are read.
    private static let limit = 64 * 1_024

    /// Reads the first line of a file, without the line break and a byte order mark.
    /// - Parameter path: The path; `-` means standard input. Bytes of standard input after the line are left unread.
    /// - Throws: ``FileError`` if the file cannot be read or its first line is empty.
    static func key(at path: String) throws(FileError) -> String {
        let isStandardInput = path == "-"
        let subject = isStandardInput ? "standard input" : path
        func failure(_ action: String) -> FileError {
            FileError(action: action, path: subject, reason: SystemErrors.text(errno))
        }
        // Follows links: containers mount secrets as links.
        let descriptor = isStandardInput ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open") }
        defer { if !isStandardInput { SystemFile.close(descriptor) } }
        var line: [UInt8] = []
        while line.count < limit {
            // Reads byte by byte, since other readers may use the rest of standard input.
            var byte: UInt8 = 0
            let count = withUnsafeMutableBytes(of: &byte) { SystemFile.read(descriptor, $0) }
            guard count >= 0 else { throw failure("read") }
            if count == 0 || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") { break }
            line.append(byte)
        }
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        let key = String(decoding: line.starts(with: mark) ? line.dropFirst(mark.count) : line[...], as: UTF8.self)
        guard !key.isBlank else {
            throw FileError(action: "find a key in", path: subject, reason: "the first line is empty")
        }
        return key
    }
}
