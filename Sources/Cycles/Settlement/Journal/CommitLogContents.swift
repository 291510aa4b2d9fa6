/// The live records of a commit log, read from the bytes of its file.
package struct CommitLogContents: Sendable {
    /// A record that no later frame dropped.
    package struct Entry: Hashable, Sendable {
        /// The folder of the record's identity.
        package let fingerprint: String
        package let reservationID: ReservationID
        /// The record, encoded as in a record file.
        package let record: [UInt8]
        /// The time at which the last attempt began, in milliseconds since 1970; 0 if there was none.
        package let attemptedAtMilliseconds: Int64
    }

    /// The reason why this version cannot read a file as a log.
    package enum Defect: Error, Hashable, Sendable, CustomStringConvertible {
        /// Both copies of the header are damaged.
        case noHeader
        /// A newer version wrote the log, and can read it.
        case newerVersion(UInt32)

        package var description: String {
            switch self {
            case .noHeader: "it has no commit log header"
            case .newerVersion(let version):
                "its version \(version) is newer than this client's, \(CommitLogFormat.version); a newer client settles it"
            }
        }
    }

    /// The live records, in the order in which they were last put.
    package private(set) var entries: [Entry] = []
    /// Descriptions of acknowledged frames that cannot be read, one for each batch; empty for a log that is whole or
    /// has a torn tail.
    package private(set) var damage: [String] = []
    /// The newest generation with a valid batch; 0 if there is none.
    package private(set) var generation: UInt64 = 0

    /// - Throws: ``Defect`` if the file is no log, or was written by a newer version.
    package init(of bytes: [UInt8]) throws(Defect) {
        let header = CommitLogFormat.readHeader(bytes)
        guard let header else { throw .noHeader }
        guard header.version == CommitLogFormat.version else { throw .newerVersion(header.version) }
        let batches = CommitLogContents.newestBatches(bytes, header.id)
        generation = batches.first?.place.generation ?? 0
        var live = LiveEntries()
        var expected: UInt64 = 1
        for batch in batches {
            if batch.place.number > expected {
                damage.append("batch \(expected) of generation \(generation) is missing")
            }
            expected = batch.place.number + 1
            let isWhole = CommitLogContents.readFrames(bytes, batch) { live.apply($0) }
            // The last batch may be incomplete because the process ended while writing it. Nothing depended on the
            // batch yet.
            if !isWhole, batch.place != batches.last?.place {
                damage.append("batch \(batch.place.number) of generation \(generation) has an invalid frame")
            }
        }
        entries = live.inOrder
    }

    private struct LiveEntries {
        private struct Key: Hashable {
            let fingerprint: String
            let id: ReservationID
        }

        private var entries: [Key: (order: Int, entry: Entry)] = [:]
        private var count = 0

        var inOrder: [Entry] { entries.values.sorted { $0.order < $1.order }.map(\.entry) }

        mutating func apply(_ change: Change) {
            count += 1
            switch change {
            case .put(let entry):
                entries[Key(fingerprint: entry.fingerprint, id: entry.reservationID)] = (count, entry)
            case .drop(let fingerprint, let id): entries[Key(fingerprint: fingerprint, id: id)] = nil
            }
        }
    }

    private enum Change {
        case put(Entry)
        case drop(fingerprint: String, ReservationID)
    }

    // MARK: Batches

    /// The batches of the newest generation. Blocks between them are invalid, or belong to earlier generations.
    private static func newestBatches(
        _ bytes: [UInt8],
        _ log: CommitLogFormat.LogID
    ) -> [CommitLogFormat.BatchHeader] {
        var found: [CommitLogFormat.BatchHeader] = []
        var offset = CommitLogFormat.blockSize
        while offset < bytes.count {
            if let batch = CommitLogFormat.readBatchHeader(bytes, at: offset), batch.log == log { found.append(batch) }
            offset += CommitLogFormat.blockSize
        }
        guard let newest = found.map(\.place.generation).max() else { return [] }
        return found.filter { $0.place.generation == newest }.sorted { $0.place < $1.place }
    }

    // MARK: Frames

    /// Passes the valid frames of a batch to `body`.
    /// - Returns: Whether all frames are valid.
    private static func readFrames(
        _ bytes: [UInt8],
        _ batch: CommitLogFormat.BatchHeader,
        _ body: (Change) -> Void
    ) -> Bool {
        var offset = batch.frames.lowerBound
        var count = 0
        while offset < batch.frames.upperBound {
            guard let payload = CommitLogFormat.readFrame(bytes, at: offset, of: batch) else {
                // The length of an invalid frame cannot be trusted: the next valid frame may begin anywhere.
                offset += 1
                continue
            }
            if let change = change(bytes[payload]) {
                body(change)
                count += 1
            }
            offset = payload.upperBound
        }
        return count == batch.frameCount
    }

    /// Decodes a frame whose checksum is valid; nil if the frame has no meaning.
    private static func change(_ payload: ArraySlice<UInt8>) -> Change? {
        let start = payload.startIndex + 1 + CommitLogFormat.fingerprintSize
        let fingerprint = String(decoding: payload[(payload.startIndex + 1)..<start], as: UTF8.self)
        guard JournalNames.isFolder(fingerprint) else { return nil }
        if payload.first == CommitLogFormat.dropKind {
            return String(validating: payload[start...], as: UTF8.self)
                .map { .drop(fingerprint: fingerprint, ReservationID($0)) }
        }
        guard payload.count >= 1 + CommitLogFormat.fingerprintSize + 8 else { return nil }
        let attempted: Int64 = Array(payload[start..<start + 8]).number(at: 0)
        let record = Array(payload[(start + 8)...])
        guard let id = (try? SettlementRecord(parsing: record))?.reservationID else { return nil }
        return .put(
            Entry(
                fingerprint: fingerprint,
                reservationID: id,
                record: record,
                attemptedAtMilliseconds: attempted
            )
        )
    }
}

extension CommitLogFormat {
    /// The header of a batch, and the place of the batch's frames in the file.
    struct BatchHeader {
        let log: LogID
        let place: BatchNumber
        let frames: Range<Int>
        let frameCount: Int
        let seed: UInt32
    }

    /// Reads the header of a log; nil if both copies are damaged.
    static func readHeader(_ bytes: [UInt8]) -> Header? {
        for offset in [0, headerCopyOffset] where bytes.count >= offset + headerSize {
            let checked = bytes[offset..<offset + headerSize - 4]
            guard checked.starts(with: headerMagic),
                CRC32C.checksum(checked) == bytes.number(at: offset + headerSize - 4, as: UInt32.self)
            else { continue }
            return Header(
                version: bytes.number(at: offset + 8),
                id: LogID((bytes.number(at: offset + 12), bytes.number(at: offset + 20)))
            )
        }
        return nil
    }

    /// Reads the header of the batch that begins at a block boundary; nil if no batch begins there.
    static func readBatchHeader(_ bytes: [UInt8], at start: Int) -> BatchHeader? {
        for offset in [start, start + batchHeaderSize] where bytes.count >= offset + batchHeaderSize {
            let checked = bytes[offset..<offset + batchHeaderSize - 4]
            let seed: UInt32 = bytes.number(at: offset + batchHeaderSize - 4)
            guard checked.starts(with: batchMagic), CRC32C.checksum(checked) == seed else { continue }
            let first = start + 2 * batchHeaderSize
            let end = first + Int(bytes.number(at: offset + 48, as: UInt32.self))
            return BatchHeader(
                log: LogID((bytes.number(at: offset + 16), bytes.number(at: offset + 24))),
                place: BatchNumber(
                    generation: bytes.number(at: offset + 32),
                    number: bytes.number(at: offset + 40)
                ),
                frames: first..<max(first, min(end, bytes.count)),
                frameCount: Int(bytes.number(at: offset + 52, as: UInt32.self)),
                seed: seed
            )
        }
        return nil
    }

    /// Returns the payload of the frame at an offset; nil if no valid frame begins there.
    static func readFrame(_ bytes: [UInt8], at offset: Int, of batch: BatchHeader) -> Range<Int>? {
        let start = offset + frameHeaderSize
        guard start + 1 + fingerprintSize <= batch.frames.upperBound else { return nil }
        let length: UInt32 = bytes.number(at: offset)
        guard length > fingerprintSize, Int(length) <= batch.frames.upperBound - start,
            bytes[start] == putKind || bytes[start] == dropKind
        else { return nil }
        let payload = start..<start + Int(length)
        let checksum = frameChecksum(bytes[payload], length: length, seed: batch.seed)
        return checksum == bytes.number(at: offset + 4, as: UInt32.self) ? payload : nil
    }
}
