/// The SHA-256 hash function (FIPS 180-4).
package struct SHA256: Sendable {
    package static let digestLength = 32
    fileprivate static let blockLength = 64

    fileprivate var state: State
    private var length: UInt64 = 0
    /// Bytes that do not fill a block yet.
    private var rest: [UInt8] = []

    package init() { state = State() }

    /// Returns the digest of bytes.
    package static func hash(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var hash = SHA256()
        hash.update(Array(bytes))
        return hash.finalize()
    }

    package mutating func update(_ bytes: [UInt8]) {
        length += UInt64(bytes.count)
        rest += bytes
        let whole = rest.count - rest.count % SHA256.blockLength
        guard whole > 0 else { return }
        rest.withUnsafeBytes { buffer in
            for start in stride(from: 0, to: whole, by: SHA256.blockLength) {
                state.compress(UnsafeRawBufferPointer(rebasing: buffer[start..<(start + SHA256.blockLength)]))
            }
        }
        rest.removeFirst(whole)
    }

    package consuming func finalize() -> [UInt8] {
        let bits = length &* 8
        var padding: [UInt8] = [0x80]
        let used = (rest.count + 1) % SHA256.blockLength
        padding += repeatElement(0, count: (used <= 56 ? 56 : 120) - used)
        for shift in stride(from: 56, through: 0, by: -8) { padding.append(UInt8(truncatingIfNeeded: bits >> shift)) }
        update(padding)
        return state.bytes
    }
}

extension SHA256 {
    /// The chaining value. Not an array, which would be allocated for each of the many thousand blocks of a key
    /// derivation.
    fileprivate struct State: Sendable {
        private var words = SIMD8<UInt32>(
            0x6a09_e667,
            0xbb67_ae85,
            0x3c6e_f372,
            0xa54f_f53a,
            0x510e_527f,
            0x9b05_688c,
            0x1f83_d9ab,
            0x5be0_cd19
        )

        /// Writes the words into the first 32 bytes of a buffer.
        func write(to buffer: UnsafeMutableRawBufferPointer) {
            for index in 0..<8 {
                buffer.storeBytes(of: words[index].bigEndian, toByteOffset: index * 4, as: UInt32.self)
            }
        }

        var bytes: [UInt8] {
            [UInt8](unsafeUninitializedCapacity: SHA256.digestLength) { buffer, count in
                write(to: UnsafeMutableRawBufferPointer(buffer))
                count = SHA256.digestLength
            }
        }

        mutating func compress(_ block: UnsafeRawBufferPointer) {
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { schedule in
                for index in 0..<16 {
                    let word = block.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)
                    schedule.initializeElement(at: index, to: UInt32(bigEndian: word))
                }
                for index in 16..<64 {
                    let early = schedule[index - 15]
                    let late = schedule[index - 2]
                    let small0 = early.rotated(7) ^ early.rotated(18) ^ early >> 3
                    let small1 = late.rotated(17) ^ late.rotated(19) ^ late >> 10
                    schedule.initializeElement(
                        at: index,
                        to: schedule[index - 16] &+ small0 &+ schedule[index - 7] &+ small1
                    )
                }
                mix(UnsafeMutableBufferPointer(rebasing: schedule[0..<64]))
            }
        }

        private mutating func mix(_ schedule: UnsafeMutableBufferPointer<UInt32>) {
            var (a, b, c, d) = (words[0], words[1], words[2], words[3])
            var (e, f, g, h) = (words[4], words[5], words[6], words[7])
            SHA256.constants.withUnsafeBufferPointer { constants in
                for index in 0..<64 {
                    let big1 = e.rotated(6) ^ e.rotated(11) ^ e.rotated(25)
                    let first = h &+ big1 &+ (e & f ^ ~e & g) &+ constants[index] &+ schedule[index]
                    let big0 = a.rotated(2) ^ a.rotated(13) ^ a.rotated(22)
                    let second = big0 &+ (a & b ^ a & c ^ b & c)
                    (h, g, f, e) = (g, f, e, d &+ first)
                    (d, c, b, a) = (c, b, a, first &+ second)
                }
            }
            words &+= SIMD8(a, b, c, d, e, f, g, h)
        }
    }

    /// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
    fileprivate static let constants: [UInt32] = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ]
}

extension UInt32 {
    fileprivate func rotated(_ count: UInt32) -> UInt32 { self >> count | self << (32 - count) }
}

/// HMAC with SHA-256 (RFC 2104). Hashes the key once for any number of messages.
package struct HMACSHA256: Sendable {
    private let inner: SHA256
    private let outer: SHA256

    package init(key: [UInt8]) {
        var block = key.count > SHA256.blockLength ? SHA256.hash(key) : key
        block += repeatElement(0, count: SHA256.blockLength - block.count)
        var inner = SHA256()
        inner.update(block.map { $0 ^ 0x36 })
        var outer = SHA256()
        outer.update(block.map { $0 ^ 0x5c })
        self.inner = inner
        self.outer = outer
    }

    /// Replaces a digest by its own code `times` times, and calls `body` with each result.
    fileprivate func iterate(_ digest: [UInt8], times: Int, _ body: (UnsafeRawBufferPointer) -> Void) {
        withUnsafeTemporaryAllocation(byteCount: SHA256.blockLength, alignment: 8) { block in
            // The digest and its padding fit into the block after the key: one compression completes each hash.
            block.initializeMemory(as: UInt8.self, repeating: 0)
            block.copyBytes(from: digest)
            block[SHA256.digestLength] = 0x80
            let bits = UInt16((SHA256.blockLength + SHA256.digestLength) * 8)
            block.storeBytes(of: bits.bigEndian, toByteOffset: SHA256.blockLength - 2, as: UInt16.self)
            for _ in 0..<times {
                var state = inner.state
                state.compress(UnsafeRawBufferPointer(block))
                state.write(to: block)
                state = outer.state
                state.compress(UnsafeRawBufferPointer(block))
                state.write(to: block)
                body(UnsafeRawBufferPointer(rebasing: block[..<SHA256.digestLength]))
            }
        }
    }

    package func code(_ message: [UInt8]) -> [UInt8] {
        var inner = inner
        inner.update(message)
        var outer = outer
        outer.update(inner.finalize())
        return outer.finalize()
    }
}

/// PBKDF2 with HMAC-SHA-256 (RFC 8018 section 5.2).
package enum PBKDF2 {
    /// Derives bytes from a password.
    /// - Parameters:
    ///   - rounds: The number of iterations, 1 or more.
    ///   - length: The number of bytes to derive.
    package static func derive(password: [UInt8], salt: [UInt8], rounds: Int, length: Int) -> [UInt8] {
        let function = HMACSHA256(key: password)
        var derived: [UInt8] = []
        var block: UInt32 = 0
        while derived.count < length {
            block += 1
            let first = function.code(salt + (0..<4).map { UInt8(truncatingIfNeeded: block >> UInt32(24 - 8 * $0)) })
            var sum = first
            sum.withUnsafeMutableBytes { sum in
                function.iterate(first, times: rounds - 1) { digest in
                    for index in 0..<SHA256.digestLength { sum[index] ^= digest[index] }
                }
            }
            derived += sum
        }
        return Array(derived.prefix(length))
    }
}
