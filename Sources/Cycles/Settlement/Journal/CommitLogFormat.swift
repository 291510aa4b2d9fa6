/// The bytes of a commit log: a header block, then batches of frames that each begin on a block boundary. Numbers are
/// little-endian.
///
/// Headers are there twice, so that a single damaged byte costs one frame at most.
package enum CommitLogFormat {
    package static let blockSize = 4_096
    /// The largest log that is read.
    package static let maxBytes = 64 * 1_024 * 1_024
    package static let version: UInt32 = 1

    /// Tells a log from all others, so that blocks of a removed file never count.
    package struct LogID: Hashable, Sendable {
        let high: UInt64
        let low: UInt64

        package init(_ words: (UInt64, UInt64)) { (high, low) = words }
    }

    /// The contents of a log's header block.
    package struct Header: Hashable, Sendable {
        package let version: UInt32
        package let id: LogID
    }

    /// The place of a batch in the order of all batches of its log.
    package struct BatchNumber: Hashable, Comparable, Sendable {
        /// Grows each time that the log is used again from its start.
        package var generation: UInt64
        /// From 1 on in each generation.
        package var number: UInt64

        package static func < (one: BatchNumber, other: BatchNumber) -> Bool {
            (one.generation, one.number) < (other.generation, other.number)
        }
    }

    /// An entry of a batch.
    package enum Frame: Hashable, Sendable {
        /// A record as its record file would hold it, in place of one for the same reservation.
        case put(fingerprint: String, record: [UInt8], attemptedAtMilliseconds: Int64)
        /// The reservation has no record in the log any more.
        case drop(fingerprint: String, ReservationID)

        /// The bytes that the frame takes in a batch.
        package var count: Int {
            switch self {
            case .put(_, let record, _): frameHeaderSize + 1 + fingerprintSize + 8 + record.count
            case .drop(_, let id): frameHeaderSize + 1 + fingerprintSize + id.rawValue.utf8.count
            }
        }
    }

    static let headerCopyOffset = 2_048
    static let headerSize = 32
    static let batchHeaderSize = 60
    static let frameHeaderSize = 8
    static let fingerprintSize = 16
    static let headerMagic: [UInt8] = [0xFF] + Array("CYCLOG".utf8) + [0xFF]
    // The two bytes 0xFF stand too far apart for the numbers of a frame, and neither JSON nor UTF-8 contains one: no
    // content of a batch looks like the header of another.
    static let batchMagic: [UInt8] = [0xFF] + Array("CYCLES BATCH: ".utf8) + [0xFF]

    static let putKind: UInt8 = 1
    static let dropKind: UInt8 = 2

    /// The number of whole blocks' bytes that hold `count` bytes.
    package static func roundedUp(_ count: Int) -> Int { (count + blockSize - 1) / blockSize * blockSize }

    /// The bytes that a batch of frames takes, whose sizes sum up to `frames`.
    package static func batchSize(frames: Int) -> Int { roundedUp(2 * batchHeaderSize + frames) }

    /// The header block of a log.
    package static func header(_ id: LogID) -> [UInt8] {
        var copy = headerMagic
        copy.append(number: version)
        copy.append(number: id.high)
        copy.append(number: id.low)
        copy.append(number: CRC32C.checksum(copy))
        var block = [UInt8](repeating: 0, count: blockSize)
        for offset in [0, headerCopyOffset] { block.replaceSubrange(offset..<offset + copy.count, with: copy) }
        return block
    }

    /// The blocks of a batch. The checksum of each frame takes in the batch's header, so that the frames of another batch
    /// in the same place do not count.
    package static func batch(_ frames: [Frame], _ place: BatchNumber, in log: LogID) -> [UInt8] {
        let length = frames.reduce(0) { $0 + $1.count }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(batchSize(frames: length))
        bytes += batchMagic
        bytes.append(number: log.high)
        bytes.append(number: log.low)
        bytes.append(number: place.generation)
        bytes.append(number: place.number)
        bytes.append(number: UInt32(length))
        bytes.append(number: UInt32(frames.count))
        let seed = CRC32C.checksum(bytes)
        bytes.append(number: seed)
        bytes += bytes
        for frame in frames { append(frame, seed: seed, to: &bytes) }
        bytes += [UInt8](repeating: 0, count: roundedUp(bytes.count) - bytes.count)
        return bytes
    }

    private static func append(_ frame: Frame, seed: UInt32, to bytes: inout [UInt8]) {
        let length = UInt32(frame.count - frameHeaderSize)
        bytes.append(number: length)
        let checksumOffset = bytes.count
        bytes.append(number: UInt32(0))
        switch frame {
        case .put(let fingerprint, let record, let attempted):
            bytes.append(putKind)
            bytes += fingerprint.utf8
            bytes.append(number: attempted)
            bytes += record
        case .drop(let fingerprint, let id):
            bytes.append(dropKind)
            bytes += fingerprint.utf8
            bytes += id.rawValue.utf8
        }
        let checksum = frameChecksum(bytes[(checksumOffset + 4)...], length: length, seed: seed)
        withUnsafeBytes(of: checksum.littleEndian) {
            bytes.replaceSubrange(checksumOffset..<checksumOffset + 4, with: $0)
        }
    }

    static func frameChecksum(_ payload: ArraySlice<UInt8>, length: UInt32, seed: UInt32) -> UInt32 {
        let lengthChecksum = withUnsafeBytes(of: length.littleEndian) { CRC32C.checksum($0, after: seed) }
        return CRC32C.checksum(payload, after: lengthChecksum)
    }
}

extension [UInt8] {
    /// Appends a number, the lowest byte first.
    fileprivate mutating func append(number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }

    /// A number at an offset, the lowest byte first. The bytes must be there.
    func number<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type = Number.self) -> Number {
        withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self)) }
    }
}
