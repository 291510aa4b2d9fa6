/// A hash that identifies contents: stable across runs and machines, but not collision-resistant.
enum ContentDigest {
    /// The hash in hexadecimal, 16 digits for each word.
    static func hexadecimal(of bytes: some Sequence<UInt8>, words: Int) -> String {
        let contents = Array(bytes)
        return (0..<UInt64(words)).map { salt in hexadecimal(word(contents, salt: salt)) }.joined()
    }

    /// FNV-1a, followed by the finaliser of SplitMix64, which spreads each bit over the whole word.
    private static func word(_ bytes: [UInt8], salt: UInt64) -> UInt64 {
        var hash = 0xcbf2_9ce4_8422_2325 ^ (salt &* 0x9e37_79b9_7f4a_7c15)
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        hash = (hash ^ hash >> 30) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ hash >> 27) &* 0x94d0_49bb_1331_11eb
        return hash ^ hash >> 31
    }

    private static func hexadecimal(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
