import Testing

@testable import Cycles

@Suite struct FieldLayoutTests {
    /// The bytes of fields, one after another.
    private func bytes(_ fields: [(name: String, value: String)]) -> [UInt8] {
        var headers = HTTPHeaders()
        for (name, value) in fields { headers.append(name: name, value: value) }
        return headers.withUnsafeBytes { Array($0) }
    }

    @Test func fieldsAreReadAsTheyWereWritten() {
        let written = [("A", "1"), ("x-empty", ""), ("", "no name"), ("Long", String(repeating: "x", count: 70_000))]
        var read: [[String]] = []
        bytes(written).withUnsafeBytes { bytes in
            FieldLayout.forEachField(in: bytes) { name, value in
                read.append([String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)])
            }
        }
        #expect(read == written.map { [$0.0, $0.1] })
    }

    @Test func aFieldContainsALineThatEndsWithNUL() {
        #expect(bytes([("Ab", "c")]).dropFirst(FieldLayout.lengthsSize).elementsEqual("Ab: c\0".utf8))
    }

    @Test func noFieldsHaveNoBytes() {
        [UInt8]().withUnsafeBytes { bytes in
            FieldLayout.forEachField(in: bytes) { _, _ in Issue.record("there is no field") }
        }
    }

    @Test(arguments: ["a\0b", "a\nb"])
    func fieldsThatAServerSentAreCheckedBeforeTheyAreSentOn(value: String) {
        let sound = bytes([("X", "1"), ("Y", "2")]).withUnsafeBytes { HTTPHeaders(received: $0) }
        #expect(sound.firstDefect == nil)
        let unsound = bytes([("X", "1"), ("Y", value)]).withUnsafeBytes { HTTPHeaders(received: $0) }
        #expect(unsound.firstDefect?.name == "Y")
        var both: HTTPHeaders = ["Z": "1"]
        both.append(contentsOf: unsound)
        #expect(both.firstDefect?.name == "Y")
    }
}

@Suite struct GrowingBufferTests {
    @Test func bytesSurviveGrowing() {
        var buffer = GrowingBuffer()
        var expected: [UInt8] = []
        for number in 0..<2_000 {
            let piece = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: number % 7)
            piece.withUnsafeBytes { buffer.append($0) }
            expected += piece
        }
        let bytes = Array(buffer.bytes)
        #expect(bytes == expected)
    }

    @Test func removedBytesAreReplaced() {
        var buffer = GrowingBuffer()
        buffer.append("one two")
        buffer.removeAll(after: 4)
        buffer.append("three")
        let bytes = Array(buffer.bytes)
        #expect(bytes == Array("one three".utf8))
    }
}
