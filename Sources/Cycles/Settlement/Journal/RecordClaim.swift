/// The result of claiming a record file for an attempt to send its record.
package enum RecordClaim: Sendable {
    /// The attempt may begin. No other process makes one until the claim is released. Contains the record from the
    /// file; nil if the file cannot be read or locked, so that only the idempotency key prevents a double charge.
    case granted(SettlementRecord?)
    /// Another process has made an attempt recently, or the server has asked for a delay.
    case notDue(SettlementRecord)
    /// Another process is making an attempt. Contains the record from the file; nil if the file cannot be read.
    case busy(SettlementRecord?)
    /// The file no longer exists: another process has settled the record, or an operator has removed it.
    case gone
    /// Another process has set the record aside. Contains the reason; nil if none was recorded.
    case rejected(String?)
}

/// The locks on record files that a client holds, each for one attempt, and the last known modification times of the
/// files.
struct RecordLocks: Sendable {
    private var held: [ReservationID: any OpenFile] = [:]
    private var times: [ReservationID: Int64] = [:]

    /// The number of locked files.
    var count: Int { held.count }

    func isHeld(_ id: ReservationID) -> Bool { held[id] != nil }

    /// The locked file of a reservation; nil if none is locked.
    func file(of id: ReservationID) -> (any OpenFile)? { held[id] }

    /// Holds the lock on a file, replacing the lock on the reservation's earlier file.
    mutating func hold(_ id: ReservationID, _ file: any OpenFile) { held[id] = file }

    /// The modification time that the client last saw, in milliseconds since 1970; nil if it saw none.
    func time(of id: ReservationID) -> Int64? { times[id] }

    mutating func know(_ id: ReservationID, modifiedAt time: Int64) { times[id] = time }

    mutating func release(_ id: ReservationID) { held.removeValue(forKey: id)?.close() }

    mutating func releaseAll() {
        for file in held.values { file.close() }
        held = [:]
    }

    /// Removes the lock and the time of a file that no longer exists.
    mutating func forget(_ id: ReservationID) {
        release(id)
        times[id] = nil
    }
}

extension FileSystem {
    /// Replaces an existing record file, or makes a new one.
    /// - Parameters:
    ///   - time: The time of the last attempt, in milliseconds since 1970. It becomes the file's modification time.
    ///   - isLocked: Whether to lock the file before it gets its name.
    /// - Returns: The file. Closing the file releases the lock.
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
            // Without its time, the record is attempted later. Without a lock, its idempotency key protects it.
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
