package import Cycles

/// The files of a simulated disk as one process sees them.
package final class SimulatedFiles: FileSystem {
    let disk: SimulatedDisk
    package let processID: Int32
    package let registry = DirectoryRegistry()

    init(_ disk: SimulatedDisk, _ processID: Int32) {
        self.disk = disk
        self.processID = processID
    }

    package var homeDirectory: String? { nil }

    package func prepareDirectory(_ path: String) throws(FileError) {
        try disk.call(processID, "create", path, isChange: false) { (image) throws(FileError) in
            _ = image.directories.insert(path)
        }
    }

    package func createFile(_ path: String, _ contents: [UInt8]) throws(FileError) {
        let file = try create(path)
        try file.write(contents, at: 0)
        try file.sync()
    }

    fileprivate func create(_ path: String) throws(FileError) -> SimulatedFile {
        let number = try disk.call(processID, "create", path, fault: .full) { (image) throws(FileError) in
            guard image.names[path] == nil else { throw FileError(action: "create", path: path, reason: "it is there") }
            image.lastNumber += 1
            image.files[image.lastNumber] = SimulatedDisk.Image.File(links: 1)
            image.names[path] = image.lastNumber
            image.unsyncedNames.append(.link(path, image.lastNumber))
            return image.lastNumber
        }
        return SimulatedFile(self, path, number)
    }

    package func rename(_ path: String, to other: String) throws(FileError) {
        try disk.call(processID, "rename", path) { (image) throws(FileError) in
            guard let number = image.names[path] else {
                throw FileError(action: "rename", path: path, reason: "No such file or directory")
            }
            if let replaced = image.names[other] { image.files[replaced]?.links -= 1 }
            let change = SimulatedDisk.Image.Change.rename(path, other, number)
            change.apply(to: &image.names)
            image.unsyncedNames.append(change)
        }
    }

    package func remove(_ path: String) throws(FileError) {
        try disk.call(processID, "remove", path, fault: .remove) { (image) throws(FileError) in
            guard let number = image.names.removeValue(forKey: path) else { return }
            image.files[number]?.links -= 1
            image.unsyncedNames.append(.unlink(path))
        }
    }

    package func syncDirectory(_ path: String) throws(FileError) {
        try disk.call(processID, "sync", path, fault: .directorySync) { (image) throws(FileError) in
            for change in image.unsyncedNames where change.concerns(path) { change.apply(to: &image.durableNames) }
            image.unsyncedNames.removeAll { $0.concerns(path) }
        }
    }

    package func list(_ path: String) throws(FileError) -> [String] {
        let image = disk.image
        let prefix = Array((path + "/").utf8)
        var names: Set<String> = []
        for below in [Array(image.names.keys), Array(image.directories)].joined() where below.utf8.starts(with: prefix)
        {
            let name = below.utf8.dropFirst(prefix.count).prefix { $0 != UInt8(ascii: "/") }
            names.insert(String(Substring(name)))
        }
        return names.sorted()
    }

    package func read(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
        guard let contents = disk.contents(path) else {
            throw FileError(action: "open", path: path, reason: "No such file or directory")
        }
        return contents
    }

    package func mayWrite(to directory: String) -> Bool { true }

    package func age(of path: String) -> Duration? {
        disk.image.names[path] != nil || disk.image.directories.contains(path) ? .zero : nil
    }

    package func identity(of path: String) -> FileIdentity? {
        if disk.image.directories.contains(path) { return FileIdentity(device: 2, number: UInt64(path.utf8.count)) }
        return disk.image.names[path].map { FileIdentity(device: 1, number: UInt64($0)) }
    }

    package func openDirectory(_ path: String) throws(FileError) -> any OpenDirectory { SimulatedDirectory(self, path) }
}

private final class SimulatedDirectory: OpenDirectory {
    private let files: SimulatedFiles
    private let path: String

    init(_ files: SimulatedFiles, _ path: String) {
        self.files = files
        self.path = path
    }

    let hasLocks = true
    func list() throws(FileError) -> [String] { try files.list(path) }
    func create(_ name: String) throws(FileError) -> any OpenFile { try files.create("\(path)/\(name)") }
    func open(_ name: String) throws(FileError) -> (any OpenFile)? {
        files.disk.image.names["\(path)/\(name)"].map { SimulatedFile(files, "\(path)/\(name)", $0) }
    }
    func status(of name: String) -> FileStatus? {
        let image = files.disk.image
        return image.names["\(path)/\(name)"].flatMap { number in image.files[number].map { FileStatus(number, $0) } }
    }
    func rename(_ name: String, to other: String) throws(FileError) {
        try files.rename("\(path)/\(name)", to: "\(path)/\(other)")
    }
    func remove(_ name: String) throws(FileError) { try files.remove("\(path)/\(name)") }
    func sync() throws(FileError) { try files.syncDirectory(path) }
}

private final class SimulatedFile: OpenFile {
    private let files: SimulatedFiles
    private let path: String
    private let number: Int
    private let opening: Int

    init(_ files: SimulatedFiles, _ path: String, _ number: Int) {
        self.files = files
        self.path = path
        self.number = number
        opening = files.disk.nextOpening(files.processID)
    }

    deinit { close() }

    private func call<Result>(
        _ action: String,
        fault: SimulatedDisk.Fault? = nil,
        isChange: Bool = true,
        _ body: (inout SimulatedDisk.Image.File) throws(FileError) -> Result
    ) throws(FileError) -> Result {
        try files.disk.call(files.processID, action, path, fault: fault, file: number, isChange: isChange) {
            (image) throws(FileError) in
            try body(&image.files[number, default: SimulatedDisk.Image.File()])
        }
    }

    func lock(isShared: Bool) throws(FileError) -> Bool {
        let opening = opening
        return try call("lock", fault: .lock, isChange: false) { (file) throws(FileError) in
            let others = file.lockHolders.subtracting([opening])
            guard others.isEmpty || (isShared && file.isLockShared) else { return false }
            file.lockHolders.insert(opening)
            file.isLockShared = isShared
            return true
        }
    }

    func status() throws(FileError) -> FileStatus {
        let number = number
        return try call("look at", isChange: false) { (file) throws(FileError) in FileStatus(number, file) }
    }

    func write(_ bytes: [UInt8], at offset: Int) throws(FileError) {
        // Bytes that were written in advance have their place.
        let grows = try status().size < offset + bytes.count
        try call("write", fault: grows ? .full : nil) { (file) throws(FileError) in
            file.cached.overwrite(with: bytes[...], at: offset)
            file.unsynced.append(SimulatedDisk.Image.Write(offset: offset, bytes: bytes))
        }
    }

    func read(limit: Int) throws(FileError) -> [UInt8] {
        try call("read", isChange: false) { (file) throws(FileError) in file.cached }
    }

    func setModified(atMilliseconds time: Int64) throws(FileError) {
        try call("set the time of", isChange: false) { (file) throws(FileError) in file.modified = time }
    }

    func sync() throws(FileError) {
        try call("sync", fault: .sync) { (file) throws(FileError) in
            for write in file.unsynced { file.durable.overwrite(with: write.bytes[...], at: write.offset) }
            file.unsynced = []
        }
    }

    func close() {
        let opening = opening
        try? call("close", isChange: false) { (file) throws(FileError) in _ = file.lockHolders.remove(opening) }
    }
}

extension FileStatus {
    fileprivate init(_ number: Int, _ file: SimulatedDisk.Image.File) {
        self.init(
            identity: FileIdentity(device: 1, number: UInt64(number)),
            isOwn: true,
            links: file.links,
            size: file.cached.count,
            modifiedAtMilliseconds: file.modified
        )
    }
}
