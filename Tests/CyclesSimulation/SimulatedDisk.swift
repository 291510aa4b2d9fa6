import Cycles
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
        struct Write {
            let offset: Int
            let bytes: [UInt8]
        }

        struct File {
            var durable: [UInt8] = []
            var cached: [UInt8] = []
            var unsynced: [Write] = []
            var links = 0
            var modified: Int64 = 0
            /// The openings that have a lock.
            var lockHolders: Set<Int> = []
            var isLockShared = false
        }

        enum Change {
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

        var files: [Int: File] = [:]
        var names: [String: Int] = [:]
        var durableNames: [String: Int] = [:]
        var unsyncedNames: [Change] = []
        var directories: Set<String> = []
        var lastNumber = 0

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
        var failures = 0
        var watch: (@Sendable (Image) -> Void)?
    }

    private let state: Lock<State>

    package init(_ image: Image = Image()) { state = Lock(State(image: image)) }

    package var image: Image { state.withLock { $0.image } }
    package var syncs: Int { state.withLock { $0.syncs } }
    /// The number of calls that failed because of ``fail(_:times:)``.
    package var failures: Int { state.withLock { $0.failures } }

    /// Looks at the disk after each change.
    package func watch(_ body: @escaping @Sendable (Image) -> Void) { state.withLock { $0.watch = body } }

    /// Lets calls fail from now on.
    package func fail(_ fault: Fault, times: Int = 1) { state.withLock { $0.faults[fault] = times } }

    /// Whether the next file cannot be written.
    package var refusesFiles: Bool {
        state.withLock { $0.faults[.full, default: 0] > 0 || $0.faults[.sync, default: 0] > 0 }
    }

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

    func call<Result>(
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
                state.failures += 1
                if fault == .sync, let file { state.image.files[file]?.unsynced = [] }
                throw FileError(action: action, path: path, reason: "\(fault)")
            }
            return (try body(&state.image), isChange ? state.watch : nil, state.image)
        }
        watch?(image)
        return result
    }

    func nextOpening(_ process: Int32) -> Int {
        state.withLock { state in
            state.lastOpening += 1
            return Int(process) * 1_000_000 + state.lastOpening
        }
    }
}

extension [UInt8] {
    mutating func overwrite(with bytes: ArraySlice<UInt8>, at offset: Int) {
        if count < offset + bytes.count { self += [UInt8](repeating: 0, count: offset + bytes.count - count) }
        replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }

    func contains(subsequence bytes: [UInt8]) -> Bool {
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
