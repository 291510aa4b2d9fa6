#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The candidate files for a program's name, in the order of PATH; one file if the name has a slash.
struct ProgramSearch {
    let name: [UInt8]
    let paths: [[UInt8]]

    init(_ name: [UInt8]) {
        let path = Environment.bytes("PATH") ?? Array("/bin:/usr/bin".utf8)
        self.init(name, path: path)
    }

    init(_ name: [UInt8], path: [UInt8]) {
        let slash = UInt8(ascii: "/")
        self.name = name
        guard !name.isEmpty, !name.contains(slash) else {
            paths = [name]
            return
        }
        paths = path.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map { folder in
            // An empty entry is the current directory.
            folder.isEmpty ? name : folder + [slash] + name
        }
    }

    /// Throws the error that starting the program would throw, if it can be predicted.
    func check() throws(SystemFailure) {
        var code = ENOENT
        for path in paths {
            let isExecutable = (path + [0]).withUnsafeBytes { bytes in
                guard let path = bytes.bindMemory(to: CChar.self).baseAddress else { return false }
                if access(path, X_OK) != 0 {
                    if errno == EACCES { code = EACCES }
                    return false
                }
                var status = stat()
                guard stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else {
                    code = EACCES
                    return false
                }
                return true
            }
            if isExecutable { return }
        }
        throw failure(code)
    }

    /// Calls `start` with each path until it succeeds, or fails for a reason that applies to all paths.
    func start(_ start: (_ path: [UInt8]) -> Int32) throws(SystemFailure) {
        var code = ENOENT
        for path in paths {
            // Avoids starting a process for a file that does not exist.
            let exists = (path + [0]).withUnsafeBytes { bytes in
                bytes.bindMemory(to: CChar.self).baseAddress.map { access($0, F_OK) == 0 } ?? false
            }
            if !exists, paths.count > 1 { continue }
            let result = start(path)
            switch result {
            case 0: return
            case EACCES: code = EACCES
            case ENOENT, ENOTDIR, ESTALE, ENODEV, ETIMEDOUT: continue
            default: throw failure(result)
            }
        }
        throw failure(code)
    }

    private func failure(_ code: Int32) -> SystemFailure {
        SystemFailure("start", String(decoding: name, as: UTF8.self), code: code)
    }
}
