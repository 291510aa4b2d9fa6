/// The file format of a commit log: a header block, then batches of frames. Each batch begins on a block boundary.
/// Numbers are little-endian.
///
/// Headers are stored twice, so that a single damaged byte costs one frame at most.
package enum CommitLogFormat {
    package static let blockSize = 4_096
    /// The maximum size of a log, in bytes.
    package static let maxBytes = 64 * 1_024 * 1_024
    package static let version: UInt32 = 1

    /// Distinguishes a log from all others, so that blocks of a removed file are never read as part of it.
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

    /// The position of a batch in the order of all batches of its log.
    package struct BatchNumber: Hashable, Comparable, Sendable {
        /// Increases each time the log is reused from its start.
        package var generation: UInt64
        /// Counts from 1 in each generation.
        package var number: UInt64

        package static func < (one: BatchNumber, other: BatchNumber) -> Bool {
            (one.generation, one.number) < (other.generation, other.number)
        }
    }

    /// An entry of a batch.
    package enum Frame: Hashable, Sendable {
        /// Stores a record, encoded as in a record file, in place of the reservation's earlier record.
        case put(fingerprint: String, record: [UInt8], attemptedAtMilliseconds: Int64)
        /// Removes the reservation's record from the log.
        case drop(fingerprint: String, ReservationID)

        /// The size of the frame in a batch, in bytes.
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
    // The two 0xFF bytes stand too far apart to occur in the numbers of a frame, and occur in neither JSON nor UTF-8:
    // no content of a batch resembles a batch header.
    static let batchMagic: [UInt8] = [0xFF] + Array("CYCLES BATCH: ".utf8) + [0xFF]

    static let putKind: UInt8 = 1
    static let dropKind: UInt8 = 2

    /// Rounds a number of bytes up to whole blocks.
    package static func roundedUp(_ count: Int) -> Int { (count + blockSize - 1) / blockSize * blockSize }

    /// The size of a batch whose frames have `frames` bytes in total.
    package static func batchSize(frames: Int) -> Int { roundedUp(2 * batchHeaderSize + frames) }

    /// Encodes the header block of a log.
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

    /// Encodes the blocks of a batch. The checksum of each frame includes the batch's header, so that frames of another
    /// batch in the same place are invalid.
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
    /// Appends a number in little-endian byte order.
    fileprivate mutating func append(number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }

    /// Reads a little-endian number at an offset. The bytes must exist.
    func number<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type = Number.self) -> Number {
        withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self)) }
    }
}
