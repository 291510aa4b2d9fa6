/// The CRC-32C checksum (RFC 3720, Castagnoli), computed eight bytes at a time.
package enum CRC32C {
    /// Returns the checksum of bytes, or continues the checksum of preceding bytes.
    /// - Parameter previous: The checksum of the preceding bytes; 0 if there are none.
    package static func checksum(_ bytes: some Sequence<UInt8>, after previous: UInt32 = 0) -> UInt32 {
        if let crc = bytes.withContiguousStorageIfAvailable({ checksum(UnsafeRawBufferPointer($0), after: previous) }) {
            return crc
        }
        return checksum(Array(bytes), after: previous)
    }

    package static func checksum(_ bytes: UnsafeRawBufferPointer, after previous: UInt32 = 0) -> UInt32 {
        var crc = ~previous
        tables.withUnsafeBufferPointer { tables in
            func entry(_ table: Int, _ byte: UInt32) -> UInt32 { tables[table << 8 | Int(byte & 0xFF)] }
            var offset = 0
            while offset + 8 <= bytes.count {
                let low = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) ^ crc
                let high = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))
                let ofLow = entry(7, low) ^ entry(6, low >> 8) ^ entry(5, low >> 16) ^ entry(4, low >> 24)
                let ofHigh = entry(3, high) ^ entry(2, high >> 8) ^ entry(1, high >> 16) ^ entry(0, high >> 24)
                crc = ofLow ^ ofHigh
                offset += 8
            }
            while offset < bytes.count {
                crc = entry(0, crc ^ UInt32(bytes[offset])) ^ (crc >> 8)
                offset += 1
            }
        }
        return ~crc
    }

    /// Eight tables of 256 entries. Table n holds the effect of a byte that n other bytes follow.
    private static let tables: [UInt32] = {
        var tables: [UInt32] = []
        for index in 0..<256 as Range<UInt32> {
            var entry = index
            for _ in 0..<8 { entry = entry & 1 == 1 ? (entry >> 1) ^ 0x82F6_3B78 : entry >> 1 }
            tables.append(entry)
        }
        for index in 256..<2_048 {
            let before = tables[index - 256]
            tables.append(tables[Int(before & 0xFF)] ^ (before >> 8))
        }
        return tables
    }()
}
