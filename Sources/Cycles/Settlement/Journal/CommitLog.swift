/// One commit log of this process: its live records, the next batch, and the batch's place in the file.
///
/// A value without a file: ``OpenLog`` writes and syncs for it. A batch remains the next batch until a sync covers it.
/// Drops that are written but not synced are written again in the same place, followed by newer frames.
package struct CommitLog: Sendable {
    /// Identifies a record among those of all clients of the process.
    package struct Key: Hashable, Sendable {
        /// The number of the client.
        package let client: Int
        package let id: ReservationID
    }

    /// A record that is not settled.
    package struct Record: Hashable, Sendable {
        /// The folder of the record's identity.
        package let fingerprint: String
        /// The record, encoded as in a record file.
        package let contents: [UInt8]
        /// The time at which the last attempt began, in milliseconds since 1970; 0 if there was none.
        package let attemptedAtMilliseconds: Int64

        var frame: CommitLogFormat.Frame {
            .put(fingerprint: fingerprint, record: contents, attemptedAtMilliseconds: attemptedAtMilliseconds)
        }
    }

    private typealias Format = CommitLogFormat

    /// The longest id whose drop fits into the block reserved for it.
    private static let longestID = 3_072

    package let id: CommitLogFormat.LogID
    package let size: Int
    /// The records that are not settled.
    package private(set) var live: [Key: Record] = [:]
    private var place = CommitLogFormat.BatchNumber(generation: 1, number: 1)
    /// The position at which the next batch begins.
    private var offset = CommitLogFormat.blockSize
    /// The frames of the next batch, and their size in bytes.
    private var frames: [CommitLogFormat.Frame] = []
    private var frameBytes = 0
    /// The number of frames that are written but not synced.
    private var written = 0

    package init(_ id: CommitLogFormat.LogID, size: Int) {
        self.id = id
        self.size = size
    }

    /// The size of a log that begins with the given records: 64 KiB for the first log of a process and 1 MiB for its
    /// successors, or more if the records need more. Nil if no log is large enough.
    package static func size(for records: some Sequence<Record>, isFirst: Bool) -> Int? {
        let (count, bytes) = records.reduce((0, 0)) { ($0.0 + 1, $0.1 + $1.frame.count) }
        // Twice the required room, so that the log is not full immediately.
        let needed = 2 * (Format.blockSize + Format.batchSize(frames: bytes) + count * Format.blockSize)
        var size = isFirst ? 1 << 16 : 1 << 20
        while size < needed { size *= 2 }
        return size <= Format.maxBytes ? size : nil
    }

    // MARK: Records

    /// Whether the record is small enough for any log.
    package static func mayHold(_ id: ReservationID, _ contents: [UInt8]) -> Bool {
        id.rawValue.utf8.count <= longestID && contents.count <= SettlementRecord.maxBytes
    }

    /// Adds a record to the next batch, replacing the reservation's earlier record.
    /// - Returns: Whether the log has room for the record, and for dropping each live record in a batch of its own.
    package mutating func put(_ key: Key, _ record: Record) -> Bool {
        let frame = record.frame
        let blocks = live.count + (live[key] == nil ? 1 : 0)
        guard CommitLog.mayHold(key.id, record.contents),
            offset + Format.batchSize(frames: frameBytes + frame.count) + blocks * Format.blockSize <= size
        else { return false }
        live[key] = record
        append(frame)
        return true
    }

    /// Adds the drop of a record to the next batch. Does nothing if the log does not have the record.
    package mutating func drop(_ key: Key) {
        guard let record = live.removeValue(forKey: key) else { return }
        append(.drop(fingerprint: record.fingerprint, key.id))
    }

    private mutating func append(_ frame: CommitLogFormat.Frame) {
        frames.append(frame)
        frameBytes += frame.count
    }

    // MARK: Batches

    /// Whether the next batch has unwritten frames.
    package var hasUnwritten: Bool { written < frames.count }

    /// Whether the next batch has frames.
    package var hasUnsynced: Bool { !frames.isEmpty }

    /// Whether the log is so full that a successor is needed soon.
    package var isAlmostFull: Bool { offset + live.count * Format.blockSize > size / 2 }

    /// Returns the next batch and its place.
    package mutating func write() -> (bytes: [UInt8], offset: Int) {
        written = frames.count
        return (Format.batch(frames, place, in: id), offset)
    }

    /// Begins another batch after the batch that was written last is on disk.
    package mutating func synced() {
        guard !frames.isEmpty else { return }
        offset += Format.batchSize(frames: frameBytes)
        place.number += 1
        (frames, frameBytes, written) = ([], 0, 0)
        // No record in the log is needed any more, not even if the process ends now.
        if live.isEmpty { beginGeneration() }
    }

    /// Removes all records, which are on disk elsewhere.
    /// - Returns: A batch without frames, and its place. Once the batch is on disk, earlier batches are invalid.
    package mutating func clear() -> (bytes: [UInt8], offset: Int) {
        (live, frames, frameBytes, written) = ([:], [], 0, 0)
        beginGeneration()
        defer {
            place.number += 1
            offset += Format.blockSize
        }
        return (Format.batch([], place, in: id), offset)
    }

    private mutating func beginGeneration() {
        place = CommitLogFormat.BatchNumber(generation: place.generation + 1, number: 1)
        offset = Format.blockSize
    }
}
