import CCurl

/// The header fields of a request as a list for libcurl, in reused memory.
struct CurlFieldList: ~Copyable {
    private var text = GrowingBuffer()
    private var nodes = UnsafeMutableBufferPointer<curl_slist>(start: nil, count: 0)

    deinit { nodes.deallocate() }

    /// Replaces the fields.
    /// - Parameter omitsExpect: Whether to tell libcurl not to add an `Expect` field.
    /// - Returns: The list, valid until the fields are replaced; nil if there are no fields.
    mutating func set(_ headers: HTTPHeaders, omitsExpect: Bool) -> UnsafeMutablePointer<curl_slist>? {
        headers.withUnsafeBytes { text.set($0) }
        let size = text.count
        if omitsExpect { text.append("Expect:\0") }
        reserveNodes(size / FieldLayout.smallestSize + 1)
        let nodes = nodes
        var count = 0
        func append(_ text: UnsafeMutablePointer<CChar>) {
            nodes.initializeElement(at: count, to: curl_slist(data: text, next: nodes.baseAddress! + count + 1))
            count += 1
        }
        FieldLayout.forEachField(in: UnsafeRawBufferPointer(rebasing: text.bytes[..<size])) { name, value in
            let start = UnsafeMutablePointer(mutating: name.baseAddress!.assumingMemoryBound(to: CChar.self))
            if value.isEmpty {
                // libcurl removes the field if a colon has no value after it; a semicolon sends an empty field.
                start[name.count] = CChar(bitPattern: UInt8(ascii: ";"))
                start[name.count + 1] = 0
            }
            append(start)
        }
        if omitsExpect { append(text.characters + size) }
        guard count > 0 else { return nil }
        nodes[count - 1].next = nil
        return nodes.baseAddress
    }

    private mutating func reserveNodes(_ count: Int) {
        guard count > nodes.count else { return }
        nodes.deallocate()
        nodes = .allocate(capacity: max(64, count))
    }
}
