/// The answer to a settlement that wants to send the record in its file.
package enum RecordClaim: Sendable {
    /// The attempt may begin, and no other process makes one until the claim is released. Contains the record as its file
    /// has it; nil if the file cannot be read or locked, so that only the idempotency key protects.
    case granted(SettlementRecord?)
    /// Another process has made an attempt meanwhile, or the server has asked it to wait.
    case notDue(SettlementRecord)
    /// Another process makes an attempt. Contains the record as its file has it; nil if the file cannot be read.
    case busy(SettlementRecord?)
    /// The file is gone: another process has settled the record, or an operator has removed it.
    case gone
    /// Another process has set the record aside. Contains the reason; nil if none was written down.
    case rejected(String?)
}

/// The locks on record files that a client holds, each for one attempt, and the times of the files as it knows them.
struct RecordLocks: Sendable {
    private var held: [ReservationID: any OpenFile] = [:]
    private var times: [ReservationID: Int64] = [:]

    /// The number of files that are locked.
    var count: Int { held.count }

    func isHeld(_ id: ReservationID) -> Bool { held[id] != nil }

    /// The file that is locked; nil if none is.
    func file(of id: ReservationID) -> (any OpenFile)? { held[id] }

    /// Keeps the lock on a file, in place of that on the file before it.
    mutating func hold(_ id: ReservationID, _ file: any OpenFile) { held[id] = file }

    /// The time of a file when the client looked at it last, in milliseconds since 1970; nil if it did not.
    func time(of id: ReservationID) -> Int64? { times[id] }

    mutating func know(_ id: ReservationID, modifiedAt time: Int64) { times[id] = time }

    mutating func release(_ id: ReservationID) { held.removeValue(forKey: id)?.close() }

    mutating func releaseAll() {
        for file in held.values { file.close() }
        held = [:]
    }

    /// Forgets a file that is gone.
    mutating func forget(_ id: ReservationID) {
        release(id)
        times[id] = nil
    }
}

extension FileSystem {
    /// Writes a record file in place of one that is there.
    /// - Parameters:
    ///   - time: The time of the last attempt, in milliseconds since 1970, which becomes that of the file.
    ///   - isLocked: Whether to lock the file before it gets its name.
    /// - Returns: The file; its lock lasts as long as it is open.
    @discardableResult
    func writeRecord(
        _ contents: [UInt8],
        to path: String,
        attemptedAt time: Int64,
        isLocked: Bool
    ) throws(FileError) -> (any OpenFile)? {
        let temporary = "\(path).\(processID).\(JournalNames.randomMark()).tmp"
        try createFile(temporary, contents)
        do throws(FileError) {
            let (folder, name) = JournalNames.parts(of: temporary)
            let directory = try openDirectory(folder)
            let file = try directory.open(name)
            // Without its time the record is attempted later, and without a lock its key protects it.
            try? file?.setModified(atMilliseconds: time)
            if isLocked, directory.hasLocks { _ = try? file?.lock(isShared: false) }
            try rename(temporary, to: path)
            return file
        } catch {
            try? remove(temporary)
            throw error
        }
    }
}
