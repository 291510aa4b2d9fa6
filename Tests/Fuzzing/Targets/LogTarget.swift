@testable import Cycles

/// The commit log, whole, torn and damaged.
///
/// An input is a list of steps on a log of this process, whose writes go to a file in memory, and then damage to the
/// file. The log's id depends on the whole input, so that no input can contain a checksum of its own log.
enum LogTarget {
    static func run(_ bytes: [UInt8]) throws(Finding) {
        _ = try? CommitLogContents(of: bytes)
        var input = FuzzInput(bytes)
        let digest = SHA256.hash(bytes)
        let id = CommitLogFormat.LogID((digest.number(at: 0), digest.number(at: 8)))
        if input.byte() & 1 == 1 { return try readFrames(&input, id) }
        var writer = Writer(id)
        // The last bytes choose the damage.
        let damage = FuzzInput(input.bytes(8))
        for _ in 0..<100 where !input.isEmpty { writer.step(&input) }
        try checkWhole(writer)
        try checkPrefix(writer, damage)
        try checkDamaged(writer, damage)
    }

    /// A log that was written is read as it was written.
    private static func checkWhole(_ writer: Writer) throws(Finding) {
        let contents = try require(try? CommitLogContents(of: writer.file), "a written log is refused")
        try require(contents.damage.isEmpty, "a written log is damaged: \(contents.damage)")
        try require(contents.entries == writer.states.last, "a written log has other records")
    }

    /// The first part of a log has the records of the first frames.
    private static func checkPrefix(_ writer: Writer, _ damage: FuzzInput) throws(Finding) {
        var damage = damage
        let end = CommitLogFormat.blockSize + damage.number() % (writer.file.count - CommitLogFormat.blockSize)
        let contents = try require(
            try? CommitLogContents(of: Array(writer.file.prefix(end))),
            "the first \(end) bytes of a log are refused"
        )
        try require(writer.states.contains(contents.entries), "the first \(end) bytes of a log have other records")
    }

    /// A damaged log has no record that was not written.
    private static func checkDamaged(_ writer: Writer, _ damage: FuzzInput) throws(Finding) {
        var damage = damage
        var file = writer.file
        let kind = damage.byte()
        if kind & 1 == 1 {
            // Sectors that were not written.
            let first = damage.number() % (file.count / 512) * 512
            let end = min(file.count, first + (damage.byte() % 8 + 1) * 512)
            for position in first..<end { file[position] = 0 }
        }
        if kind & 2 == 2 {
            // A burst of at most 32 bits, which the checksum always detects.
            let position = damage.number() % (file.count - 4)
            for offset in 0..<4 { file[position + offset] ^= UInt8(truncatingIfNeeded: damage.byte()) }
        }
        guard let contents = try? CommitLogContents(of: file) else {
            return try require(kind & 1 == 1, "a few damaged bytes make a log unreadable")
        }
        try require(
            contents.entries.allSatisfy(writer.written.contains),
            "a damaged log has a record that nobody wrote"
        )
    }

    /// Frames of any content are no record, or the record that they contain.
    private static func readFrames(_ input: inout FuzzInput, _ id: CommitLogFormat.LogID) throws(Finding) {
        var frames: [CommitLogFormat.Frame] = []
        var written: Set<[UInt8]> = []
        while !input.isEmpty, frames.count < 20 {
            let kind = input.byte()
            let digits =
                kind & 2 == 2 ? Writer.fingerprints[0] : String(decoding: input.bytes(16), as: Unicode.ASCII.self)
            // The format has exactly 16 bytes for it.
            let fingerprint = digits.utf8.count == 16 ? digits : Writer.fingerprints[1]
            let content = input.bytes(input.number() % 600)
            if kind & 1 == 1 {
                frames.append(.drop(fingerprint: fingerprint, ReservationID(String(decoding: content, as: UTF8.self))))
            } else {
                frames.append(.put(fingerprint: fingerprint, record: content, attemptedAtMilliseconds: 0))
                written.insert(content)
            }
        }
        let file = CommitLogFormat.header(id) + CommitLogFormat.batch(frames, .init(generation: 1, number: 1), in: id)
        let contents = try require(try? CommitLogContents(of: file), "a written log is refused")
        for entry in contents.entries {
            try require(written.contains(entry.record), "a log has a record that nobody wrote")
            let record = try require(try? SettlementRecord(parsing: entry.record), "an entry is no record")
            try require(record.reservationID == entry.reservationID, "an entry has another reservation")
            try require(JournalNames.isFolder(entry.fingerprint), "an entry has no identity")
        }
    }
}

/// A log of this process, its file, and the records that the file has to have.
private struct Writer {
    static let fingerprints = ["0123456789abcdef", "fedcba9876543210"]

    private(set) var log: CommitLog
    private(set) var file: [UInt8]
    /// All records that were ever put.
    private(set) var written: Set<CommitLogContents.Entry> = []
    /// The records after each frame of the generation in the file, oldest first.
    private(set) var states: [[CommitLogContents.Entry]] = [[]]
    /// The records after each frame of the generation that comes next, or of the one in the file.
    private var pending: [[CommitLogContents.Entry]] = [[]]

    init(_ id: CommitLogFormat.LogID) {
        log = CommitLog(id, size: 1 << 15)
        file = CommitLogFormat.header(id)
        file += [UInt8](repeating: 0, count: log.size - file.count)
    }

    mutating func step(_ input: inout FuzzInput) {
        let choice = input.byte()
        switch choice % 8 {
        case 0...3: put(choice, &input)
        case 4: drop(choice)
        case 5, 6:
            // A batch that no sync covers is written again, with the frames that follow.
            guard log.hasUnsynced else { return }
            write(log.write())
            states = pending
            guard choice % 8 == 5 else { return }
            log.synced()
            if log.live.isEmpty { pending = [[]] }
        default:
            guard choice > 0xc0 else { return }
            write(log.clear())
            (states, pending) = ([[]], [[]])
        }
    }

    private mutating func put(_ choice: Int, _ input: inout FuzzInput) {
        let (client, id) = (choice >> 3 & 1, ReservationID("r\(choice >> 4 & 3)"))
        let padding = String(repeating: "x", count: choice & 1 == 1 ? input.number() % 5_000 : 0)
        let text = JSONValue.string(padding + String(decoding: input.bytes(input.byte() % 64), as: UTF8.self))
        let record = SettlementRecord(
            reservationID: id,
            baseURL: "http://authority.test",
            mode: .commit,
            commit: .object(JSONValue.object(["metadata": text]).encoded),
            event: nil,
            recordedAtMilliseconds: 1
        )
        guard let contents = record?.encoded else { return }
        let entry = CommitLogContents.Entry(
            fingerprint: Writer.fingerprints[client],
            reservationID: id,
            record: contents,
            attemptedAtMilliseconds: Int64(choice)
        )
        let frame = CommitLog.Record(
            fingerprint: entry.fingerprint,
            contents: contents,
            attemptedAtMilliseconds: entry.attemptedAtMilliseconds
        )
        guard log.put(CommitLog.Key(client: client, id: id), frame) else { return }
        written.insert(entry)
        pending.append(without(entry.fingerprint, id) + [entry])
    }

    private mutating func drop(_ choice: Int) {
        let key = CommitLog.Key(client: choice >> 3 & 1, id: ReservationID("r\(choice >> 4 & 3)"))
        guard log.live[key] != nil else { return }
        log.drop(key)
        pending.append(without(Writer.fingerprints[key.client], key.id))
    }

    private func without(_ fingerprint: String, _ id: ReservationID) -> [CommitLogContents.Entry] {
        (pending.last ?? []).filter { $0.fingerprint != fingerprint || $0.reservationID != id }
    }

    private mutating func write(_ batch: (bytes: [UInt8], offset: Int)) {
        file.replaceSubrange(batch.offset..<batch.offset + batch.bytes.count, with: batch.bytes)
    }
}
