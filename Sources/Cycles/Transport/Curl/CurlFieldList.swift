import CCurl

/// The header fields of a request as the list that libcurl reads, in memory that is kept.
struct CurlFieldList: ~Copyable {
    private var text = GrowingBuffer()
    private var starts: [Int] = []
    private var nodes = UnsafeMutableBufferPointer<curl_slist>(start: nil, count: 0)

    deinit { nodes.deallocate() }

    /// Replaces the fields.
    /// - Parameter omitsExpect: Whether libcurl is told not to add an `Expect` field.
    /// - Returns: The list, valid until the fields are replaced; nil for none.
    mutating func set(_ headers: HTTPHeaders, omitsExpect: Bool) -> UnsafeMutablePointer<curl_slist>? {
        text.removeAll()
        starts.removeAll(keepingCapacity: true)
        headers.forEachField { name, value in
            starts.append(text.count)
            text.append(name)
            // libcurl takes a colon without a value for a field to leave out.
            text.append(value.isEmpty ? ";\0" : ": ")
            guard !value.isEmpty else { return }
            text.append(value)
            text.append(0)
        }
        if omitsExpect {
            starts.append(text.count)
            text.append("Expect:\0")
        }
        return linked()
    }

    /// Links the texts once all of them are in place: appending may move them.
    private mutating func linked() -> UnsafeMutablePointer<curl_slist>? {
        if starts.count > nodes.count {
            nodes.deallocate()
            nodes = .allocate(capacity: max(16, starts.count))
        }
        var next: UnsafeMutablePointer<curl_slist>?
        for (index, start) in starts.enumerated().reversed() {
            nodes.initializeElement(at: index, to: curl_slist(data: text.characters + start, next: next))
            next = nodes.baseAddress! + index
        }
        return next
    }
}
