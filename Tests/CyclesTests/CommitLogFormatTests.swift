import Testing

@testable import Cycles

private typealias Format = CommitLogFormat

private let fingerprint = "0123456789abcdef"
private let logID = Format.LogID((1, 2))

private func record(_ id: String, padding: Int = 0) -> [UInt8] {
    Array(
        (#"{"version":1,"reservation_id":"\#(id)","base_url":"http://authority.test","mode":"commit","commit_body":{"a":1},"#
            + #""event_fallback_body":null,"recorded_at_ms":0,"x":"\#(String(repeating: "x", count: padding))"}"#).utf8
    )
}

private func put(_ id: String, padding: Int = 0) -> Format.Frame {
    .put(fingerprint: fingerprint, record: record(id, padding: padding), attemptedAtMilliseconds: 7)
}

private func drop(_ id: String) -> Format.Frame { .drop(fingerprint: fingerprint, ReservationID(id)) }

private func file(size: Int = 65_536, _ batches: (generation: UInt64, number: UInt64, frames: [Format.Frame])...)
    -> [UInt8]
{
    var bytes = Format.header(logID)
    for batch in batches {
        bytes += Format.batch(batch.frames, .init(generation: batch.generation, number: batch.number), in: logID)
    }
    bytes += [UInt8](repeating: 0, count: max(0, size - bytes.count))
    return bytes
}

private func ids(_ contents: CommitLogContents) -> [String] { contents.entries.map(\.reservationID.rawValue) }

@Suite struct CRC32CTests {
    /// RFC 3720, appendix B.4, and the check value of the catalogue.
    @Test(
        arguments: [
            (Array("123456789".utf8), 0xE306_9283), ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43), (Array(0..<32), 0x46DD_794E),
            (Array((0..<32).reversed()), 0x113F_DB5C), ([], 0),
        ] as [([UInt8], UInt32)]
    )
    func publishedVectors(bytes: [UInt8], expected: UInt32) {
        #expect(CRC32C.checksum(bytes) == expected)
        for cut in bytes.indices {
            #expect(CRC32C.checksum(bytes[cut...], after: CRC32C.checksum(bytes[..<cut])) == expected)
        }
    }
}

@Suite(.serialized, .ownThread) struct CommitLogFormatTests {
    @Test func aLogHoldsWhatWasPutAndNotDropped() throws {
        let contents = try CommitLogContents(
            of: file((1, 1, [put("a"), put("b")]), (1, 2, [drop("a"), put("c", padding: 9_000)]), (1, 3, [put("b")]))
        )
        #expect(ids(contents) == ["c", "b"] && contents.damage.isEmpty && contents.generation == 1)
        let entry = try #require(contents.entries.last)
        #expect(entry.record == record("b") && entry.fingerprint == fingerprint && entry.attemptedAtMilliseconds == 7)
    }

    @Test func theLastPutOfAReservationWins() throws {
        let contents = try CommitLogContents(of: file((1, 1, [put("a")]), (1, 2, [put("a", padding: 3)])))
        #expect(contents.entries.map(\.record) == [record("a", padding: 3)])
    }

    @Test func identitiesDoNotShareReservations() throws {
        let other = Format.Frame.drop(fingerprint: "fedcba9876543210", "a")
        #expect(try ids(CommitLogContents(of: file((1, 1, [put("a"), other])))) == ["a"])
    }

    @Test func onlyTheNewestGenerationCounts() throws {
        let bytes = file((1, 1, [put("a")]), (1, 2, [put("b")]))
        // The next generation begins in place of the first batch.
        let next = Format.batch([put("c")], .init(generation: 2, number: 1), in: logID)
        var reused = bytes
        reused.replaceSubrange(4_096..<4_096 + next.count, with: next)
        let contents = try CommitLogContents(of: reused)
        #expect(ids(contents) == ["c"] && contents.damage.isEmpty && contents.generation == 2)
    }

    /// Frames of the same length in the same place, of which the disk kept the earlier ones behind a new header.
    @Test func framesBehindTheHeaderOfAnotherBatchDoNotCount() throws {
        var bytes = file((2, 1, [put("a"), put("b")]))
        let stale = Format.batch([put("x"), put("y")], .init(generation: 1, number: 1), in: logID)
        let frames = 2 * Format.batchHeaderSize
        bytes.replaceSubrange((4_096 + frames)..<(4_096 + stale.count), with: stale[frames...])
        let contents = try CommitLogContents(of: bytes)
        #expect(contents.entries.isEmpty && contents.damage.isEmpty && contents.generation == 2)
    }

    @Test func blocksOfAnotherLogDoNotCount() throws {
        let foreign = Format.batch([put("x")], .init(generation: 9, number: 1), in: .init((8, 8)))
        let contents = try CommitLogContents(of: file((1, 1, [put("a")])) + foreign)
        #expect(ids(contents) == ["a"] && contents.damage.isEmpty)
    }

    @Test func aNewerVersionIsLeftAlone() {
        var bytes = Format.header(logID)
        bytes[8] = 2
        let checksum = CRC32C.checksum(bytes[..<28])
        withUnsafeBytes(of: checksum.littleEndian) { bytes.replaceSubrange(28..<32, with: $0) }
        #expect(throws: CommitLogContents.Defect.newerVersion(2)) { try CommitLogContents(of: bytes) }
    }

    @Test(arguments: [0, 31, 4_096]) func whatHasNoHeaderIsNoLog(size: Int) {
        #expect(throws: CommitLogContents.Defect.noHeader) {
            try CommitLogContents(of: [UInt8](repeating: 0, count: size))
        }
    }

    /// A name that would lead out of the journal's directory.
    @Test func aFingerprintThatIsNoneIsDamage() throws {
        let bad = Format.Frame.put(fingerprint: "../../../../etc/", record: record("a"), attemptedAtMilliseconds: 0)
        let contents = try CommitLogContents(of: file((1, 1, [bad, put("b")]), (1, 2, [put("c")])))
        #expect(ids(contents) == ["b", "c"] && contents.damage.count == 1)
    }

    @Test func aMissingBatchBeforeAnotherIsDamage() throws {
        let contents = try CommitLogContents(of: file((1, 2, [put("b")])))
        #expect(ids(contents) == ["b"] && contents.damage.count == 1)
    }

    // MARK: Properties

    @Test func cutAtEveryByteTheAcknowledgedBatchesStay() throws {
        let whole = file(size: 0, (1, 1, [put("a"), put("b")]), (1, 2, [put("c"), put("d")]))
        for cut in 8_192...whole.count {
            let contents = try CommitLogContents(of: Array(whole[..<cut]))
            #expect(ids(contents).starts(with: ["a", "b"]) && contents.damage.isEmpty, "cut at \(cut)")
        }
    }

    @Test func tornAtEveryByteTheAcknowledgedBatchesStay() throws {
        let before = file((1, 1, [put("a"), put("b")]))
        let batch = Format.batch([put("c"), put("d"), drop("a")], .init(generation: 1, number: 2), in: logID)
        for written in 0...batch.count {
            var bytes = before
            bytes.replaceSubrange(8_192..<8_192 + written, with: batch[..<written])
            let contents = try CommitLogContents(of: bytes)
            #expect(ids(contents).contains("b") && contents.damage.isEmpty, "torn at \(written)")
            #expect(Set(ids(contents)).isSubset(of: ["a", "b", "c", "d"]))
            // The end of the file was written, and the beginning was not.
            bytes = before
            bytes.replaceSubrange((8_192 + written)..<(8_192 + batch.count), with: batch[written...])
            let other = try CommitLogContents(of: bytes)
            #expect(ids(other).contains("b") && other.damage.isEmpty)
        }
    }

    @Test func aFlippedByteCostsOneRecordAtMostAndIsReported() throws {
        let whole = file(size: 0, (1, 1, [put("a"), put("b"), put("c")]), (1, 2, [put("d"), put("e")]))
        for offset in whole.indices {
            var bytes = whole
            bytes[offset] ^= 0x5A
            let contents = try CommitLogContents(of: bytes)
            let lost = Set(["a", "b", "c", "d", "e"]).subtracting(ids(contents))
            #expect(lost.count <= 1, "byte \(offset): \(lost)")
            // Nothing depended on the last batch.
            let isReported = !contents.damage.isEmpty
            #expect(isReported == !lost.isDisjoint(with: ["a", "b", "c"]), "byte \(offset): \(contents.damage)")
        }
    }

    @Test func anEarlierGenerationBehindATornBatchNeverReturns() throws {
        let old = file((1, 1, [put("x"), put("y")]), (1, 2, [drop("x"), drop("y")]), (2, 1, [put("a")]))
        let batch = Format.batch([put("b"), put("c")], .init(generation: 3, number: 1), in: logID)
        for written in Format.batchHeaderSize...batch.count {
            var bytes = old
            bytes.replaceSubrange(4_096..<4_096 + written, with: batch[..<written])
            #expect(try Set(ids(CommitLogContents(of: bytes))).isSubset(of: ["b", "c"]))
        }
    }
}
