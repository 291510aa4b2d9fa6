package import Cycles
import CyclesTesting

/// A disk in memory that several simulated processes share, and that loses at a crash what was not synced.
///
/// A name or a write that is not synced may be there after a crash or not, each by itself and in any order. A sync that
/// fails counts its pages as written, as kernels do: a later sync does not bring them to the disk.
package final class SimulatedDisk: Sendable {
    /// The part of the unsynced changes that a crash leaves.
    package enum Survivors: Sendable {
        case none
        case all
        /// Some, each with a chance; writes may be torn at any byte.
        case random(seed: UInt64)
        /// All but the last write, which is torn at a byte.
        case lastWriteTorn(at: Int)
    }

    package enum Fault: Hashable, Sendable { case sync, directorySync, remove, full, lock }

    package struct Image: Sendable {
        fileprivate struct Write {
            let offset: Int
            let bytes: [UInt8]
        }

        fileprivate struct File {
            var durable: [UInt8] = []
            var cached: [UInt8] = []
            var unsynced: [Write] = []
            var links = 0
            var modified: Int64 = 0
            /// The openings that have a lock.
            var lockHolders: Set<Int> = []
            var isLockShared = false
        }

        fileprivate enum Change {
            case link(String, Int)
            case unlink(String)
            case rename(String, String, Int)

            func apply(to names: inout [String: Int]) {
                switch self {
                case .link(let path, let file): names[path] = file
                case .unlink(let path): names[path] = nil
                case .rename(let path, let other, let file):
                    names[path] = nil
                    names[other] = file
                }
            }

            func concerns(_ directory: String) -> Bool {
                switch self {
                case .link(let path, _), .unlink(let path), .rename(let path, _, _):
                    path.split(separator: "/").dropLast().elementsEqual(directory.split(separator: "/"))
                }
            }
        }

        fileprivate var files: [Int: File] = [:]
        fileprivate var names: [String: Int] = [:]
        fileprivate var durableNames: [String: Int] = [:]
        fileprivate var unsyncedNames: [Change] = []
        fileprivate var directories: Set<String> = []
        fileprivate var lastNumber = 0

        package init() {}

        /// The disk after a crash of the machine.
        package func crashed(_ survivors: Survivors) -> SimulatedDisk {
            var generator = SplitMix64(seed: 0)
            if case .random(let seed) = survivors { generator = SplitMix64(seed: seed) }
            func survives() -> Bool {
                switch survivors {
                case .none: false
                case .all, .lastWriteTorn: true
                case .random: Bool.random(using: &generator)
                }
            }
            var after = Image()
            after.directories = directories
            after.lastNumber = lastNumber
            after.durableNames = durableNames
            for change in unsyncedNames where survives() { change.apply(to: &after.durableNames) }
            after.names = after.durableNames
            let newest = files.filter { !$0.value.unsynced.isEmpty }.keys.max()
            // No process is left that has a file without a name open.
            let named = Set(after.names.values)
            for (number, file) in files.sorted(by: { $0.key < $1.key }) where named.contains(number) {
                var contents = file.durable
                for (index, write) in file.unsynced.enumerated() where survives() {
                    var count = write.bytes.count
                    switch survivors {
                    case .random:
                        if Bool.random(using: &generator) { count = Int.random(in: 0...count, using: &generator) }
                    case .lastWriteTorn(let limit) where number == newest && index == file.unsynced.count - 1:
                        count = min(count, limit)
                    default: break
                    }
                    contents.overwrite(with: write.bytes[..<count], at: write.offset)
                }
                after.files[number] = File(
                    durable: contents,
                    cached: contents,
                    links: after.names.values.count { $0 == number },
                    modified: file.modified
                )
            }
            return SimulatedDisk(after)
        }

        /// The bytes of the last write that is not synced.
        package var lastWriteSize: Int {
            files.filter { !$0.value.unsynced.isEmpty }.max { $0.key < $1.key }?.value.unsynced.last?.bytes.count ?? 0
        }
    }

    private struct State {
        var image: Image
        var faults: [Fault: Int] = [:]
        var lastOpening = 0
        var dead: Set<Int32> = []
        var syncs = 0
        var watch: (@Sendable (Image) -> Void)?
    }

    private let state: Lock<State>

    package init(_ image: Image = Image()) { state = Lock(State(image: image)) }

    package var image: Image { state.withLock { $0.image } }
    package var syncs: Int { state.withLock { $0.syncs } }

    /// Looks at the disk after each change.
    package func watch(_ body: @escaping @Sendable (Image) -> Void) { state.withLock { $0.watch = body } }

    /// Lets calls fail from now on.
    package func fail(_ fault: Fault, times: Int = 1) { state.withLock { $0.faults[fault] = times } }

    /// A process that uses the disk.
    package func process(_ number: Int32) -> SimulatedFiles { SimulatedFiles(self, number) }

    /// Ends a process as SIGKILL does: its locks are free, and its writes stay.
    package func kill(_ process: Int32) {
        state.withLock { state in
            state.dead.insert(process)
            state.image.files = state.image.files.mapValues { file in
                var file = file
                file.lockHolders = file.lockHolders.filter { $0 / 1_000_000 != Int(process) }
                return file
            }
        }
    }

    /// The names of all files.
    package var paths: [String] { image.names.keys.sorted() }

    package func contents(_ path: String) -> [UInt8]? { image.names[path].flatMap { image.files[$0]?.cached } }

    /// Whether any file contains some bytes, on the disk or in memory.
    package func contains(_ bytes: [UInt8]) -> Bool {
        image.files.values.contains {
            $0.cached.contains(subsequence: bytes) || $0.durable.contains(subsequence: bytes)
        }
    }

    /// Damages a byte of a file.
    package func flip(_ path: String, at offset: Int) {
        state.withLock { state in
            guard let number = state.image.names[path] else { return }
            state.image.files[number]?.durable[offset] ^= 0x5A
            state.image.files[number]?.cached[offset] ^= 0x5A
        }
    }

    // MARK: Calls of the processes

    fileprivate func call<Result>(
        _ process: Int32,
        _ action: String,
        _ path: String,
        fault: Fault? = nil,
        file: Int? = nil,
        isChange: Bool = true,
        _ body: (inout Image) throws(FileError) -> Result
    ) throws(FileError) -> Result {
        let (result, watch, image) = try state.withLock { (state) throws(FileError) in
            if state.dead.contains(process) {
                throw FileError(action: action, path: path, reason: "the process is gone")
            }
            if fault == .sync || fault == .directorySync { state.syncs += 1 }
            if let fault, let left = state.faults[fault], left > 0 {
                state.faults[fault] = left - 1
                if fault == .sync, let file { state.image.files[file]?.unsynced = [] }
                throw FileError(action: action, path: path, reason: "\(fault)")
            }
            return (try body(&state.image), isChange ? state.watch : nil, state.image)
        }
        watch?(image)
        return result
    }

    fileprivate func nextOpening(_ process: Int32) -> Int {
        state.withLock { state in
            state.lastOpening += 1
            return Int(process) * 1_000_000 + state.lastOpening
        }
    }
}

/// The files of a simulated disk as one process sees them.
package final class SimulatedFiles: FileSystem {
    let disk: SimulatedDisk
    package let processID: Int32
    package let registry = DirectoryRegistry()

    fileprivate init(_ disk: SimulatedDisk, _ processID: Int32) {
        self.disk = disk
        self.processID = processID
    }

    package var homeDirectory: String? { nil }

    package func prepareDirectory(_ path: String) throws(FileError) {
        try disk.call(processID, "create the directory", path, isChange: false) { (image) throws(FileError) in
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
        let below = Array(image.names.keys) + image.directories
        return Set(
            below.filter { $0.hasPrefix(path + "/") }.map { String($0.dropFirst(path.count + 1).prefix { $0 != "/" }) }
        )
        .sorted()
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

extension [UInt8] {
    fileprivate mutating func overwrite(with bytes: ArraySlice<UInt8>, at offset: Int) {
        if count < offset + bytes.count { self += [UInt8](repeating: 0, count: offset + bytes.count - count) }
        replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }

    fileprivate func contains(subsequence bytes: [UInt8]) -> Bool {
        withUnsafeBufferPointer { all in
            bytes.withUnsafeBufferPointer { some in
                guard let first = some.first, all.count >= some.count else { return some.isEmpty }
                var start = 0
                while start <= all.count - some.count {
                    if all[start] == first, some.elementsEqual(all[start..<start + some.count]) { return true }
                    start += 1
                }
                return false
            }
        }
    }
}
